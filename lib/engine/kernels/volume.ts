/** Convolution and pooling of volumes and their gradients, computed in NCDHW with OIDHW filters. */
import {
  type AvgPool3DAttrs,
  type AvgPool3DGradAttrs,
  backend_util,
  type Conv3DAttrs,
  type Conv3DBackpropFilterV2Attrs,
  type Conv3DBackpropInputV2Attrs,
  type MaxPool3DAttrs,
  type MaxPool3DGradAttrs,
} from "@tensorflow/tfjs-core";
import { type Arr, arr, fullAs, type Permutation, permute, reshapeValue, transposeValue } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { target } from "../graph/target.ts";
import { define } from "./registry.ts";
import { backwards } from "./shape.ts";

type Info = backend_util.Conv3DInfo;
type Five = [number, number, number, number, number];
type Pooling = Omit<MaxPool3DAttrs, "dataFormat" | "dimRoundingMode"> & {
  dimRoundingMode?: "floor" | "round" | "ceil";
};

/** NDHWC seen, NCDHW stored. */
const ncdhw: Permutation = [0, 4, 1, 2, 3];
/** DHWIO seen, OIDHW stored. */
const oidhw: Permutation = [4, 3, 0, 1, 2];

const kernelOf = (info: Info): number[] => [info.filterDepth, info.filterHeight, info.filterWidth];
const stridesOf = (info: Info): number[] => [info.strideDepth, info.strideHeight, info.strideWidth];
const dilationsOf = (info: Info): number[] => [info.dilationDepth, info.dilationHeight, info.dilationWidth];
const beforeOf = ({ padInfo }: Info): number[] => [padInfo.front, padInfo.top, padInfo.left];
const afterOf = ({ padInfo }: Info): number[] => [padInfo.back, padInfo.bottom, padInfo.right];
const insOf = (info: Info): number[] => [info.inDepth, info.inHeight, info.inWidth];
const outsOf = (info: Info): number[] => [info.outDepth, info.outHeight, info.outWidth];

const convInfo = (
  x: readonly number[],
  filter: readonly number[],
  { strides, pad, dilations }: Omit<Conv3DAttrs, "dataFormat" | "dilations"> & { dilations?: Conv3DAttrs["dilations"] },
): Info => backend_util.computeConv3DInfo(x as Five, filter as Five, strides, dilations ?? 1, pad);

const poolInfo = (x: readonly number[], { filterSize, strides, pad, dimRoundingMode }: Pooling): Info =>
  backend_util.computePool3DInfo(x as Five, filterSize, strides, 1, pad, dimRoundingMode);

/** Zeros, or another number, around the three last axes; negative counts cut. */
function padded(g: Graph, x: Value, before: readonly number[], after: readonly number[], fill = 0): Value {
  if ([...before, ...after].every((p) => p === 0)) return x;
  const shape = [...x.shape.slice(0, 2), ...x.shape.slice(2).map((dim, i) => dim + before[i]! + after[i]!)];
  const pads = g.int64([0, 0, ...before, 0, 0, ...after]);
  return g.op("Pad", [x, pads, g.scalar(fill)], shape, "float32", { mode: "constant" });
}

function conv(g: Graph, x: Arr, filter: Arr, info: Info): Arr {
  const shape = [info.batchSize, ...outsOf(info), info.outChannels];
  const [before, after] = [beforeOf(info), afterOf(info)];
  // WebGPU gets padding wrong that differs from side to side (ONNX Runtime 1.30).
  const apart = target.provider !== "cpu" && before.some((p, i) => p !== after[i]);
  const image = fullAs(g, x, ncdhw);
  const attributes = {
    kernel_shape: kernelOf(info),
    strides: stridesOf(info),
    dilations: dilationsOf(info),
    pads: apart ? [0, 0, 0, 0, 0, 0] : [...before, ...after],
  };
  const inputs = [apart ? padded(g, image, before, after) : image, fullAs(g, filter, oidhw)];
  return arr(g.op("Conv", inputs, permute(shape, ncdhw), "float32", attributes), shape, ncdhw);
}

/** Spreads windows over the volume they came from: what no window reached is zero. */
function spread(g: Graph, windows: Value, filter: Value, info: Info): Value {
  const [kernel, strides, dilations, before] = [kernelOf(info), stridesOf(info), dilationsOf(info), beforeOf(info)];
  const extent = kernel.map((k, i) => (k - 1) * dilations[i]! + 1);
  if (target.provider !== "cpu") {
    // ONNX Runtime 1.30 has no transposed convolution of volumes there: one over windows set apart, its filter turned, is the same.
    const apart = [2, 3, 4].reduce((v, axis) => setApart(g, v, axis, strides[axis - 2]!), windows);
    const ahead = extent.map((e, i) => e - 1 - before[i]!);
    const behind = insOf(info).map((n, i) => n - 1 + extent[i]! - apart.shape[i + 2]! - ahead[i]!);
    const turned = [2, 3, 4].reduce((v, axis) => backwards(g, v, axis), transposeValue(g, filter, [1, 0, 2, 3, 4]));
    const shape = [windows.shape[0]!, filter.shape[1]!, ...insOf(info)];
    const attributes = { kernel_shape: kernel, dilations };
    return g.op("Conv", [padded(g, apart, ahead, behind), turned], shape, "float32", attributes);
  }
  const reached = outsOf(info).map((n, i) => (n - 1) * strides[i]! + extent[i]!);
  const shape = [windows.shape[0]!, filter.shape[1]!, ...reached];
  const attributes = { kernel_shape: kernel, strides, dilations };
  const whole = g.op("ConvTranspose", [windows, filter], shape, "float32", attributes);
  const after = insOf(info).map((n, i) => n + before[i]! - reached[i]!);
  const cut = before.map((p) => -p);
  return padded(g, whole, cut, after);
}

/** Zeros after every element along an axis: `by` places for each. */
function setApart(g: Graph, v: Value, axis: number, by: number): Value {
  if (by === 1) return v;
  const [outer, n, inner] = [sizeOf(v.shape.slice(0, axis)), v.shape[axis]!, sizeOf(v.shape.slice(axis + 1))];
  const pads = g.int64([0, 0, 0, 0, 0, 0, by - 1, 0]);
  const inputs = [reshapeValue(g, v, [outer, n, 1, inner]), pads, g.scalar(0)];
  const apart = g.op("Pad", inputs, [outer, n, by, inner], "float32", { mode: "constant" });
  return reshapeValue(
    g,
    apart,
    v.shape.map((dim, i) => (i === axis ? dim * by : dim)),
  );
}

function inputGradient(g: Graph, dy: Arr, filter: Arr, info: Info): Arr {
  const shape = [info.batchSize, ...insOf(info), info.inChannels];
  return arr(spread(g, fullAs(g, dy, ncdhw), fullAs(g, filter, oidhw), info), shape, ncdhw);
}

/** A convolution of the input with the gradient as its filter, batch and channels exchanged. */
function filterGradient(g: Graph, x: Arr, dy: Arr, info: Info): Arr {
  const exchanged = [1, 0, 2, 3, 4];
  const image = padded(g, transposeValue(g, fullAs(g, x, ncdhw), exchanged), beforeOf(info), afterOf(info));
  const gradient = transposeValue(g, fullAs(g, dy, ncdhw), exchanged);
  const attributes = { kernel_shape: outsOf(info), strides: dilationsOf(info), dilations: stridesOf(info) };
  const places = image.shape
    .slice(2)
    .map(
      (dim, i) => Math.floor((dim - ((outsOf(info)[i]! - 1) * stridesOf(info)[i]! + 1)) / dilationsOf(info)[i]!) + 1,
    );
  const shape = [info.inChannels, info.outChannels, ...places];
  const value = g.op("Conv", [image, gradient], shape, "float32", attributes);
  const extra = places.map((n, i) => kernelOf(info)[i]! - n);
  const cut = padded(g, value, [0, 0, 0], extra);
  return arr(cut, [...kernelOf(info), info.inChannels, info.outChannels], [3, 4, 0, 1, 2]);
}

const empty = (...arrays: Arr[]): boolean => arrays.some((a) => sizeOf(a.shape) === 0);
/** Whether every window has at least one element of the volume. */
const covers = (info: Info): boolean =>
  [...beforeOf(info), ...afterOf(info)].every((p, i) => p < kernelOf(info)[i % 3]!) && sizeOf(info.outShape) > 0;

define<Conv3DAttrs>("Conv3D", (g, { x, filter }, a) => {
  const info = convInfo(x.shape, filter.shape, a);
  return empty(x, filter) || sizeOf(info.outShape) === 0 ? null : conv(g, x, filter, info);
});
define<Conv3DBackpropInputV2Attrs>("Conv3DBackpropInputV2", (g, { dy, filter }, a) => {
  const info = convInfo(a.inputShape, filter.shape, a);
  if (empty(dy, filter) || outsOf(info).some((n, i) => n !== dy.shape[i + 1])) return null;
  return inputGradient(g, dy, filter, info);
});
define<Conv3DBackpropFilterV2Attrs>("Conv3DBackpropFilterV2", (g, { x, dy }, a) =>
  empty(x, dy) ? null : filterGradient(g, x, dy, convInfo(x.shape, a.filterShape, a)),
);

function pool(g: Graph, op: string, x: Arr, a: Pooling): Arr | null {
  const info = poolInfo(x.shape, a);
  if (empty(x) || x.value.type !== "float32" || !covers(info)) return null;
  const shape = [info.batchSize, ...outsOf(info), info.outChannels];
  const pads = [...beforeOf(info), ...afterOf(info)];
  const attributes = { kernel_shape: kernelOf(info), strides: stridesOf(info), pads };
  return arr(g.op(op, [fullAs(g, x, ncdhw)], permute(shape, ncdhw), "float32", attributes), shape, ncdhw);
}
define<MaxPool3DAttrs>("MaxPool3D", (g, { x }, a) => pool(g, "MaxPool", x, a));
define<AvgPool3DAttrs>("AvgPool3D", (g, { x }, a) => pool(g, "AveragePool", x, a));

/** Every channel of every volume by itself: N·C, 1, D, H, W. */
const single = (g: Graph, v: Value): Value => reshapeValue(g, v, [v.shape[0]! * v.shape[1]!, 1, ...v.shape.slice(2)]);

/** Spreads each window's gradient evenly over the elements that it averaged. */
define<AvgPool3DGradAttrs>("AvgPool3DGrad", (g, { dy, input }, a) => {
  const info = poolInfo(input.shape, a);
  if (empty(dy, input) || !covers(info)) return null;
  const [kernel, strides, before, ins] = [kernelOf(info), stridesOf(info), beforeOf(info), insOf(info)];
  // The elements that a window covers along each axis; what lies in the padding does not count.
  const covered = outsOf(info).map((n, axis) =>
    Array.from({ length: n }, (_, i) => {
      const from = i * strides[axis]! - before[axis]!;
      return Math.min(from + kernel[axis]!, ins[axis]!) - Math.max(from, 0);
    }),
  );
  const [d, h, w] = covered as [number[], number[], number[]];
  const shares = Float32Array.from(d.flatMap((i) => h.flatMap((j) => w.map((k) => 1 / (i * j * k)))));
  const gradient = single(g, fullAs(g, dy, ncdhw));
  const each = g.op(
    "Mul",
    [gradient, g.constant(shares, [1, 1, ...outsOf(info)], "float32")],
    gradient.shape,
    "float32",
  );
  const ones = g.op("Expand", [g.scalar(1), g.int64([1, 1, ...kernel])], [1, 1, ...kernel], "float32");
  return arr(reshapeValue(g, spread(g, each, ones, info), permute(input.shape, ncdhw)), input.shape, ncdhw);
});

/**
 * Sends each window's gradient to the last of its largest elements, as TensorFlow.js does in three dimensions.
 *
 * Filters that pick one element each give every window's elements; the same filters, transposed, put the shares back.
 */
define<MaxPool3DGradAttrs>("MaxPool3DGrad", (g, { dy, input }, a) => {
  const info = poolInfo(input.shape, a);
  if (empty(dy, input) || !covers(info)) return null;
  const k = sizeOf(kernelOf(info));
  const picks = new Float32Array(k * k);
  for (let i = 0; i < k; i++) picks[i * k + i] = 1;
  const filters = g.constant(picks, [k, 1, ...kernelOf(info)], "float32");
  const codes = g.constant(
    Float32Array.from({ length: k }, (_, i) => i + 1),
    [1, k, 1, 1, 1],
    "float32",
  );
  const image = padded(g, single(g, fullAs(g, input, ncdhw)), beforeOf(info), afterOf(info), -3.4e38);
  const gradient = single(g, fullAs(g, dy, ncdhw));
  const many = [gradient.shape[0]!, k, ...outsOf(info)];
  const attributes = { kernel_shape: kernelOf(info), strides: stridesOf(info) };
  const elements = g.op("Conv", [image, filters], many, "float32", attributes);
  const hits = (x: Value): Value => {
    const most = g.op("ReduceMax", [x, g.int64([1])], gradient.shape, "float32", { keepdims: 1 });
    return g.op("Cast", [g.op("Equal", [x, most], many, "bool")], many, "float32", { to: 1 });
  };
  const chosen = hits(g.op("Mul", [hits(elements), codes], many, "float32"));
  const shares = g.op("Mul", [chosen, gradient], many, "float32");
  return arr(reshapeValue(g, spread(g, shares, filters, info), permute(input.shape, ncdhw)), input.shape, ncdhw);
});

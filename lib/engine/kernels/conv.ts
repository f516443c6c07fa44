/** Convolutions and their gradients, computed in NCHW with OIHW filters. */
import {
  backend_util,
  type Conv2DAttrs,
  type Conv2DBackpropFilterAttrs,
  type Conv2DBackpropInputAttrs,
  type DepthwiseConv2dNativeAttrs,
  type DepthwiseConv2dNativeBackpropFilterAttrs,
  type DepthwiseConv2dNativeBackpropInputAttrs,
  type FusedConv2DAttrs,
} from "@tensorflow/tfjs-core";
import { type Arr, arr, fullAs, nchw, oihw, reshapeValue } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { target } from "../graph/target.ts";
import { add, float } from "./elementwise.ts";
import { depthwiseFilterGradient, filterGradient } from "./filter-gradient.ts";
import { activate } from "./linalg.ts";
import { define, type Inputs } from "./registry.ts";
import { convByRows, inputGradientByRows, isByRows } from "./rows.ts";
import { transpose } from "./shape.ts";
import { type Info, window } from "./window.ts";

interface Attributes {
  readonly strides: number | [number, number];
  readonly pad: "valid" | "same" | number | backend_util.ExplicitPadding;
  readonly dataFormat?: "NHWC" | "NCHW";
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

function infoOf(x: readonly number[], filter: readonly number[], a: Attributes, depthwise = false): Info {
  return backend_util.computeConv2DInfo(
    x as [number, number, number, number],
    filter as [number, number, number, number],
    a.strides,
    a.dilations ?? 1,
    a.pad,
    a.dimRoundingMode,
    depthwise,
    a.dataFormat === "NCHW" ? "channelsFirst" : "channelsLast",
  );
}

/** An array of a kernel in NHWC, whatever the kernel's data format. */
const toNHWC = (a: Arr, format: string | undefined): Arr => (format === "NCHW" ? transpose(a, [0, 2, 3, 1]) : a);
const fromNHWC = (a: Arr, format: string | undefined): Arr => (format === "NCHW" ? transpose(a, [0, 3, 1, 2]) : a);

const nhwcOut = (info: Info, channels: number): number[] => [info.batchSize, info.outHeight, info.outWidth, channels];
const toNCHW = ([n, h, w, c]: readonly number[]): number[] => [n!, c!, h!, w!];

/** One ONNX filter per group: H, W, I, M becomes I·M, 1, H, W. */
function depthwiseFilter(g: Graph, filter: Arr): Value {
  const [h, w, channels, multiplier] = filter.shape as [number, number, number, number];
  return reshapeValue(g, fullAs(g, filter, [2, 3, 0, 1]), [channels * multiplier, 1, h, w]);
}

/** Padding that differs from side to side is done beforehand where the provider gets it wrong (WebGPU, ONNX Runtime 1.30). */
function evenly<A extends { readonly pads: readonly number[] }>(g: Graph, image: Value, attributes: A): [Value, A] {
  const [top, left, bottom, right] = attributes.pads as [number, number, number, number];
  if (target.provider === "cpu" || (top === bottom && left === right)) return [image, attributes];
  const [n, c, h, w] = image.shape as [number, number, number, number];
  const pads = g.int64([0, 0, top, left, 0, 0, bottom, right]);
  const shape = [n, c, h + top + bottom, w + left + right];
  const padded = g.op("Pad", [image, pads, g.scalar(0)], shape, "float32", { mode: "constant" });
  return [padded, { ...attributes, pads: [0, 0, 0, 0] }];
}

function conv(g: Graph, x: Arr, filter: Arr, info: Info, depthwise: boolean): Arr {
  if (!depthwise && isByRows(info)) return convByRows(g, x, filter, info);
  const weights = depthwise ? depthwiseFilter(g, filter) : fullAs(g, filter, oihw);
  const shape = nhwcOut(info, weights.shape[0]!);
  const group = depthwise ? info.inChannels : 1;
  const [image, attributes] = evenly(g, fullAs(g, x, nchw), window(info, group));
  return arr(g.op("Conv", [image, weights], toNCHW(shape), "float32", attributes), shape, nchw);
}

/**
 * The gradient with respect to the input.
 *
 * For stride 1 this is a convolution with the filter turned by half a turn; otherwise a transposed convolution.
 */
function inputGradient(g: Graph, dy: Arr, filter: Arr, info: Info, depthwise: boolean): Arr {
  if (!depthwise && isByRows(info)) return inputGradientByRows(g, dy, filter, info);
  const shape = [info.batchSize, info.inHeight, info.inWidth, info.inChannels];
  const {
    filterHeight: kh,
    filterWidth: kw,
    strideHeight: sh,
    strideWidth: sw,
    dilationHeight: dh,
    dilationWidth: dw,
  } = info;
  const { top, left, bottom, right } = info.padInfo;
  const gradient = fullAs(g, dy, nchw);
  const outputs = gradient.shape[1]!;
  const extent = { h: (kh - 1) * dh + 1, w: (kw - 1) * dw + 1 };
  const before = [extent.h - 1 - top, extent.w - 1 - left];
  const after = [extent.h - 1 - bottom, extent.w - 1 - right];
  const isPlain = sh === 1 && sw === 1 && [...before, ...after].every((p) => p >= 0);
  const isLarge = kh * kw * outputs < info.batchSize * info.inHeight * info.inWidth;
  // On WebGPU some such convolutions are wrong in ONNX Runtime 1.30 (6 channels to 4); transposed ones are right.
  if (isPlain && (depthwise || isLarge) && target.provider === "cpu") {
    const turned = turn(g, fullAs(g, filter, [2, 3, 0, 1]), kh, kw);
    const attributes = {
      kernel_shape: [kh, kw],
      strides: [1, 1],
      dilations: [dh, dw],
      pads: [...before, ...after],
      group: depthwise ? info.inChannels : 1,
    };
    return arr(g.op("Conv", [gradient, turned], toNCHW(shape), "float32", attributes), shape, nchw);
  }
  const weights = depthwise ? depthwiseFilter(g, filter) : fullAs(g, filter, oihw);
  // Rows and columns that no window reached are added at the far side.
  const missing = [
    info.inHeight + top + bottom - ((info.outHeight - 1) * sh + extent.h),
    info.inWidth + left + right - ((info.outWidth - 1) * sw + extent.w),
  ];
  const attributes = {
    kernel_shape: [kh, kw],
    strides: [sh, sw],
    dilations: [dh, dw],
    group: depthwise ? info.inChannels : 1,
  };
  if (missing.every((m, i) => m >= 0 && m < [sh, sw][i]!)) {
    const pads = { pads: [top, left, bottom, right], output_padding: missing };
    return arr(transposed(g, gradient, weights, toNCHW(shape), { ...attributes, ...pads }), shape, nchw);
  }
  const whole = [(info.outHeight - 1) * sh + extent.h, (info.outWidth - 1) * sw + extent.w];
  let value = transposed(g, gradient, weights, [...toNCHW(shape).slice(0, 2), ...whole], attributes);
  const pads = [0, 0, -top, -left, 0, 0, info.inHeight + top - whole[0]!, info.inWidth + left - whole[1]!];
  value = g.op("Pad", [value, g.int64(pads), g.scalar(0)], toNCHW(shape), "float32", { mode: "constant" });
  return arr(value, shape, nchw);
}

/** A transposed convolution; group by group where the provider gets groups wrong (WebGPU, ONNX Runtime 1.30). */
function transposed<A extends { readonly group: number }>(
  g: Graph,
  image: Value,
  filter: Value,
  shape: readonly number[],
  attributes: A,
): Value {
  const { group } = attributes;
  if (group === 1 || target.provider === "cpu")
    return g.op("ConvTranspose", [image, filter], shape, "float32", { ...attributes });
  const split = (v: Value, axis: number): Value[] => {
    const part = v.shape.map((dim, i) => (i === axis ? dim / group : dim));
    const sizes = g.int64(new Array(group).fill(part[axis]!));
    return g.ops("Split", [v, sizes], new Array(group).fill({ shape: part, type: "float32" }), { axis });
  };
  const [images, filters] = [split(image, 1), split(filter, 0)];
  const part = shape.map((dim, i) => (i === 1 ? dim / group : dim));
  const values = images.map((one, i) =>
    g.op("ConvTranspose", [one, filters[i]!], part, "float32", { ...attributes, group: 1 }),
  );
  return g.op("Concat", values, shape, "float32", { axis: 1 });
}

/** A filter stored I, O, H, W turned by half a turn. */
function turn(g: Graph, filter: Value, kh: number, kw: number): Value {
  if (kh === 1 && kw === 1) return filter;
  // One before the first element.
  const far = g.int64([-kh - 1, -kw - 1]);
  return g.op(
    "Slice",
    [filter, g.int64([kh - 1, kw - 1]), far, g.int64([2, 3]), g.int64([-1, -1])],
    filter.shape,
    "float32",
  );
}

const empty = (...arrays: Arr[]): boolean => arrays.some((a) => sizeOf(a.shape) === 0);

define<Conv2DAttrs>("Conv2D", (g, { x, filter }, a) => {
  const info = infoOf(x.shape, filter.shape, a);
  if (empty(x, filter) || info.outHeight <= 0 || info.outWidth <= 0) return null;
  return fromNHWC(conv(g, toNHWC(float(g, x), a.dataFormat), filter, info, false), a.dataFormat);
});
for (const depthwise of [false, true])
  define<FusedConv2DAttrs>(depthwise ? "FusedDepthwiseConv2D" : "FusedConv2D", (g, inputs, a) => {
    const { x, filter, bias, preluActivationWeights } = inputs as Inputs & { bias?: Arr; preluActivationWeights?: Arr };
    if (empty(x, filter) || (a.dataFormat === "NCHW" && (bias || preluActivationWeights))) return null;
    const info = infoOf(x.shape, filter.shape, a, depthwise);
    let out = conv(g, toNHWC(x, a.dataFormat), filter, info, depthwise);
    if (bias) out = add(g, out, bias);
    return fromNHWC(activate(g, out, a.activation, preluActivationWeights, a.leakyreluAlpha), a.dataFormat);
  });
define<Conv2DBackpropInputAttrs>("Conv2DBackpropInput", (g, { dy, filter }, a) => {
  if (empty(dy, filter)) return null;
  const info = infoOf(a.inputShape, filter.shape, a);
  const gradient = toNHWC(dy, a.dataFormat);
  // A transposed convolution may be asked for a shape that no convolution gives.
  if (gradient.shape[1] !== info.outHeight || gradient.shape[2] !== info.outWidth) return null;
  return fromNHWC(inputGradient(g, gradient, filter, info, false), a.dataFormat);
});
define<Conv2DBackpropFilterAttrs>("Conv2DBackpropFilter", (g, { x, dy }, a) => {
  if (empty(dy, x)) return null;
  const info = infoOf(x.shape, a.filterShape, a);
  return filterGradient(g, toNHWC(x, a.dataFormat), toNHWC(dy, a.dataFormat), info);
});
define<DepthwiseConv2dNativeAttrs>("DepthwiseConv2dNative", (g, { x, filter }, a) => {
  const info = infoOf(x.shape, filter.shape, a, true);
  return empty(x, filter) ? null : fromNHWC(conv(g, toNHWC(x, a.dataFormat), filter, info, true), a.dataFormat);
});
define<DepthwiseConv2dNativeBackpropInputAttrs>("DepthwiseConv2dNativeBackpropInput", (g, { dy, filter }, a) =>
  empty(dy, filter) ? null : inputGradient(g, dy, filter, infoOf(a.inputShape, filter.shape, a, true), true),
);
define<DepthwiseConv2dNativeBackpropFilterAttrs>("DepthwiseConv2dNativeBackpropFilter", (g, { x, dy }, a) =>
  empty(dy, x) ? null : depthwiseFilterGradient(g, x, dy, infoOf(x.shape, a.filterShape, a, true)),
);

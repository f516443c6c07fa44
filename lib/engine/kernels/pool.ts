/** Pooling and its gradients, computed in NCHW. */
import {
  type AvgPoolAttrs,
  type AvgPoolGradAttrs,
  backend_util,
  type MaxPoolAttrs,
  type MaxPoolGradAttrs,
} from "@tensorflow/tfjs-core";
import { type Arr, arr, fullAs, nchw, reshapeValue } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { unpool, upsample } from "../graph/pooling.ts";
import { define } from "./registry.ts";

type Info = backend_util.Conv2DInfo;
type Attributes = Omit<MaxPoolAttrs, "dimRoundingMode"> & { dimRoundingMode?: "floor" | "round" | "ceil" };

const infoOf = (x: readonly number[], a: Attributes): Info =>
  backend_util.computePool2DInfo(
    x as [number, number, number, number],
    a.filterSize,
    a.strides,
    1,
    a.pad,
    a.dimRoundingMode,
  );

const shapes = (info: Info): { nhwc: number[]; stored: number[] } => ({
  nhwc: [info.batchSize, info.outHeight, info.outWidth, info.outChannels],
  stored: [info.batchSize, info.outChannels, info.outHeight, info.outWidth],
});
const window = (info: Info) => ({
  kernel_shape: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
});

function pool(g: Graph, op: string, x: Arr, a: Attributes): Arr | null {
  const info = infoOf(x.shape, a);
  if (sizeOf(x.shape) === 0 || sizeOf(shapes(info).nhwc) === 0 || x.value.type !== "float32") return null;
  // A window that lies wholly in the padding has no maximum and no mean.
  const { top, left, bottom, right } = info.padInfo;
  if (Math.max(top, bottom) >= info.filterHeight || Math.max(left, right) >= info.filterWidth) return null;
  const { nhwc, stored } = shapes(info);
  return arr(g.op(op, [fullAs(g, x, nchw)], stored, "float32", window(info)), nhwc, nchw);
}
define<MaxPoolAttrs>("MaxPool", (g, { x }, a) => pool(g, "MaxPool", x, a));
define<AvgPoolAttrs>("AvgPool", (g, { x }, a) => pool(g, "AveragePool", x, a));

/** Whether windows tile the input with neither gap, overlap nor padding. */
const tiles = (info: Info): boolean =>
  info.strideHeight === info.filterHeight &&
  info.strideWidth === info.filterWidth &&
  info.filterHeight === info.filterWidth &&
  Object.values(info.padInfo).every((p) => typeof p !== "number" || p === 0) &&
  info.outHeight * info.strideHeight === info.inHeight &&
  info.outWidth * info.strideWidth === info.inWidth;

/** Sends each window's gradient to the first of its largest elements, as a scan of the window finds it. */
define<MaxPoolGradAttrs>("MaxPoolGrad", (g, { dy, input }, a) => {
  const info = infoOf(input.shape, a);
  if (sizeOf(input.shape) === 0 || sizeOf(dy.shape) === 0) return null;
  const x = fullAs(g, input, nchw);
  const gradient = fullAs(g, dy, nchw);
  if (!tiles(info)) return picked(g, x, gradient, info, input.shape);
  const y = g.op("MaxPool", [x], shapes(info).stored, "float32", window(info));
  return arr(unpool(g, x, y, gradient), input.shape, nchw);
});

/**
 * The same for windows of any kind.
 *
 * Filters that pick one element each give every window's elements; the same filters, transposed, put the shares back.
 */
function picked(g: Graph, x: Value, gradient: Value, info: Info, shape: readonly number[]): Arr {
  const { filterHeight: kh, filterWidth: kw, outHeight: oh, outWidth: ow, padInfo } = info;
  const [n, c, height, width] = x.shape as [number, number, number, number];
  const k = kh * kw;
  const picks = new Float32Array(k * k);
  const codes = new Float32Array(k);
  for (let i = 0; i < k; i++) {
    picks[i * k + i] = 1;
    codes[i] = k - i;
  }
  const filters = g.constant(picks, [k, 1, kh, kw], "float32");
  const padded = [height + padInfo.top + padInfo.bottom, width + padInfo.left + padInfo.right] as const;
  let image = g.op("Reshape", [x, g.int64([n * c, 1, height, width])], [n * c, 1, height, width], "float32");
  if (padded[0] !== height || padded[1] !== width) {
    const pads = g.int64([0, 0, padInfo.top, padInfo.left, 0, 0, padInfo.bottom, padInfo.right]);
    const inputs = [image, pads, g.scalar(-3.4e38)];
    image = g.op("Pad", inputs, [n * c, 1, ...padded], "float32", { mode: "constant" });
  }
  const attributes = { kernel_shape: [kh, kw], strides: [info.strideHeight, info.strideWidth], pads: [0, 0, 0, 0] };
  const many = [n * c, k, oh, ow];
  const one = [n * c, 1, oh, ow];
  const elements = g.op("Conv", [image, filters], many, "float32", attributes);
  const most = g.op("ReduceMax", [elements, g.int64([1])], one, "float32", { keepdims: 1 });
  const hit = g.op("Cast", [g.op("Equal", [elements, most], many, "bool")], many, "float32", { to: 1 });
  const coded = g.op("Mul", [hit, g.constant(codes, [1, k, 1, 1], "float32")], many, "float32");
  const first = g.op("ReduceMax", [coded, g.int64([1])], one, "float32", { keepdims: 1 });
  const chosen = g.op("Cast", [g.op("Equal", [coded, first], many, "bool")], many, "float32", { to: 1 });
  const dy = g.op("Reshape", [gradient, g.int64(one)], one, "float32");
  const shares = g.op("Mul", [chosen, dy], many, "float32");
  const reached = [(oh - 1) * info.strideHeight + kh, (ow - 1) * info.strideWidth + kw] as const;
  let value = g.op("ConvTranspose", [shares, filters], [n * c, 1, ...reached], "float32", attributes);
  const ends = [padInfo.top + height - reached[0], padInfo.left + width - reached[1]];
  const pads = g.int64([0, 0, -padInfo.top, -padInfo.left, 0, 0, ...ends]);
  value = g.op("Pad", [value, pads, g.scalar(0)], [n * c, 1, height, width], "float32", { mode: "constant" });
  return arr(g.op("Reshape", [value, g.int64(x.shape)], x.shape, "float32"), shape, nchw);
}

/** Spreads each window's gradient evenly over the elements that it averaged. */
define<AvgPoolGradAttrs>("AvgPoolGrad", (g, { dy, input }, a) => {
  const info = infoOf(input.shape, a);
  if (sizeOf(input.shape) === 0 || sizeOf(dy.shape) === 0) return null;
  const { stored } = shapes(info);
  const { filterHeight: kh, filterWidth: kw, strideHeight: sh, strideWidth: sw } = info;
  const { top, left, bottom, right } = info.padInfo;
  const counts = new Float32Array(info.outHeight * info.outWidth);
  const covered = (at: number, k: number, stride: number, before: number, length: number): number =>
    Math.min(at * stride - before + k, length) - Math.max(at * stride - before, 0);
  for (let i = 0; i < info.outHeight; i++)
    for (let j = 0; j < info.outWidth; j++)
      counts[i * info.outWidth + j] =
        1 / (covered(i, kh, sh, top, info.inHeight) * covered(j, kw, sw, left, info.inWidth));
  const shares = g.constant(counts, [1, 1, info.outHeight, info.outWidth], "float32");
  const gradient = g.op("Mul", [fullAs(g, dy, nchw), shares], stored, "float32");
  const shape = [info.batchSize, info.inChannels, info.inHeight, info.inWidth];
  if (tiles(info)) {
    return arr(upsample(g, gradient, shape), input.shape, nchw);
  }
  const missing = [
    info.inHeight + top + bottom - ((info.outHeight - 1) * sh + kh),
    info.inWidth + left + right - ((info.outWidth - 1) * sw + kw),
  ];
  if (!missing.every((m, i) => m >= 0 && m < [sh, sw][i]!)) return null;
  // Channel by channel, with one filter for all.
  const [n, c, h, w] = shape as [number, number, number, number];
  const each = reshapeValue(g, gradient, [n * c, 1, info.outHeight, info.outWidth]);
  const ones = g.op("Expand", [g.scalar(1), g.int64([1, 1, kh, kw])], [1, 1, kh, kw], "float32");
  const attributes = { ...window(info), output_padding: missing };
  const value = g.op("ConvTranspose", [each, ones], [n * c, 1, h, w], "float32", attributes);
  return arr(reshapeValue(g, value, shape), input.shape, nchw);
});

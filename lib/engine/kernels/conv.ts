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
import { type Arr, arr, batchedProduct, fullAs, nchw, oihw, reshapeValue, transposeValue } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { target } from "../graph/target.ts";
import { add, float } from "./elementwise.ts";
import { activate } from "./linalg.ts";
import { define, type Inputs } from "./registry.ts";
import { transpose } from "./shape.ts";

type Info = backend_util.Conv2DInfo;
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

const window = (info: Info, group = 1) => ({
  kernel_shape: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  dilations: [info.dilationHeight, info.dilationWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
  group,
});

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
  if (isPlain && !depthwise && isLarge && target.provider === "cpu") {
    const turned = turn(g, fullAs(g, filter, [2, 3, 0, 1]), kh, kw);
    const attributes = {
      kernel_shape: [kh, kw],
      strides: [1, 1],
      dilations: [dh, dw],
      pads: [...before, ...after],
      group: 1,
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
    const value = g.op("ConvTranspose", [gradient, weights], toNCHW(shape), "float32", { ...attributes, ...pads });
    return arr(value, shape, nchw);
  }
  const whole = [(info.outHeight - 1) * sh + extent.h, (info.outWidth - 1) * sw + extent.w];
  let value = g.op(
    "ConvTranspose",
    [gradient, weights],
    [...toNCHW(shape).slice(0, 2), ...whole],
    "float32",
    attributes,
  );
  const pads = [0, 0, -top, -left, 0, 0, info.inHeight + top - whole[0]!, info.inWidth + left - whole[1]!];
  value = g.op("Pad", [value, g.int64(pads), g.scalar(0)], toNCHW(shape), "float32", { mode: "constant" });
  return arr(value, shape, nchw);
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

/** Every window of the padded input, one after the other: C, kh·kw, N·oh·ow. */
function windows(g: Graph, x: Arr, info: Info): Value {
  const { batchSize: n, inChannels: c, outHeight: oh, outWidth: ow, strideHeight: sh, strideWidth: sw } = info;
  const { top, left, bottom, right } = info.padInfo;
  let image = transposeValue(g, fullAs(g, x, nchw), [1, 0, 2, 3]);
  if (top || left || bottom || right) {
    const shape = [c, n, info.inHeight + top + bottom, info.inWidth + left + right];
    const pads = g.int64([0, 0, top, left, 0, 0, bottom, right]);
    image = g.op("Pad", [image, pads, g.scalar(0)], shape, "float32", { mode: "constant" });
  }
  image = reshapeValue(g, image, [c, 1, n, image.shape[2]!, image.shape[3]!]);
  const parts: Value[] = [];
  for (let i = 0; i < info.filterHeight; i++) {
    for (let j = 0; j < info.filterWidth; j++) {
      const [row, column] = [i * info.dilationHeight, j * info.dilationWidth];
      const starts = g.int64([row, column]);
      const ends = g.int64([row + (oh - 1) * sh + 1, column + (ow - 1) * sw + 1]);
      const whole = image.shape[3] === oh && image.shape[4] === ow && row === 0 && column === 0;
      const part = whole
        ? image
        : g.op("Slice", [image, starts, ends, g.int64([3, 4]), g.int64([sh, sw])], [c, 1, n, oh, ow], "float32");
      parts.push(part);
    }
  }
  const all =
    parts.length === 1 ? parts[0]! : g.op("Concat", parts, [c, parts.length, n, oh, ow], "float32", { axis: 1 });
  return reshapeValue(g, all, [c * parts.length, n * oh * ow]);
}

/**
 * The windows of the input in the order of a filter: N, C·kh·kw, oh·ow.
 *
 * A convolution of each channel with the filters that pick one element each is the fastest way to them.
 */
function windowsByImage(g: Graph, x: Arr, info: Info): Value {
  const { batchSize: n, inChannels: c, filterHeight: kh, filterWidth: kw, outHeight: oh, outWidth: ow } = info;
  const image = fullAs(g, x, nchw);
  const k = kh * kw;
  const isWhole = k === 1 && info.strideHeight === 1 && info.strideWidth === 1;
  if (isWhole) return reshapeValue(g, image, [n, c, oh * ow]);
  const picks = new Float32Array(k * k);
  for (let i = 0; i < k; i++) picks[i * k + i] = 1;
  const channels = reshapeValue(g, image, [n * c, 1, info.inHeight, info.inWidth]);
  const filters = g.constant(picks, [k, 1, kh, kw], "float32");
  const all = g.op("Conv", [channels, filters], [n * c, k, oh, ow], "float32", window(info));
  return reshapeValue(g, all, [n, c * k, oh * ow]);
}

/**
 * The gradient with respect to the filter: the windows of the input times the gradient.
 *
 * Image by image, and summed, where images are large; else as one product over the batch.
 */
function filterGradient(g: Graph, x: Arr, dy: Arr, info: Info): Arr {
  const { filterHeight: kh, filterWidth: kw, inChannels: c, outChannels: o, batchSize: n } = info;
  const places = info.outHeight * info.outWidth;
  const shape = [kh, kw, c, o];
  const gradient = fullAs(g, dy, nchw);
  if (o <= 2 * places && info.padInfo.top < kh && info.padInfo.left < kw) {
    const each = reshapeValue(g, gradient, [n, o, places]);
    const products = batchedProduct(g, each, windowsByImage(g, x, info), [n, o, c * kh * kw], false, true);
    const sum = g.op("ReduceSum", [products, g.int64([0])], [o, c * kh * kw], "float32", { keepdims: 0 });
    return arr(reshapeValue(g, sum, [o, c, kh, kw]), shape, oihw);
  }
  const flat = reshapeValue(g, transposeValue(g, gradient, [1, 0, 2, 3]), [o, n * places]);
  const product = g.op("Gemm", [flat, windows(g, x, info)], [o, c * kh * kw], "float32", { transA: 0, transB: 1 });
  return arr(reshapeValue(g, product, [o, c, kh, kw]), shape, oihw);
}

/** The same, channel by channel: a batch of products of one row. */
function depthwiseFilterGradient(g: Graph, x: Arr, dy: Arr, info: Info): Arr {
  const { filterHeight: kh, filterWidth: kw, inChannels: c, batchSize: n, outHeight: oh, outWidth: ow } = info;
  const multiplier = info.outChannels / c;
  const places = n * oh * ow;
  const gradient = reshapeValue(g, transposeValue(g, fullAs(g, dy, nchw), [1, 0, 2, 3]), [c, multiplier, places]);
  const columns = reshapeValue(g, windows(g, x, info), [c, kh * kw, places]);
  const value = batchedProduct(g, gradient, columns, [c, multiplier, kh * kw], false, true);
  return arr(reshapeValue(g, value, [c, multiplier, kh, kw]), [kh, kw, c, multiplier], [2, 3, 0, 1]);
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

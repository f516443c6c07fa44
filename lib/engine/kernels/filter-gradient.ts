/** Gradients of convolutions with respect to their filters. */
import { type Arr, arr, batchedProduct, fullAs, nchw, oihw, reshapeValue, transposeValue } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { target } from "../graph/target.ts";
import { filterGradientByRows, isByRows } from "./rows.ts";
import { type Info, window } from "./window.ts";

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

/** Filters that pick one element each of a window of `height` by `width`: the element at `place(i)` for filter i. */
function picks(g: Graph, height: number, width: number, place = (i: number): number => i): Value {
  const k = height * width;
  const numbers = new Float32Array(k * k);
  for (let i = 0; i < k; i++) numbers[i * k + place(i)] = 1;
  return g.constant(numbers, [k, 1, height, width], "float32");
}

/** Each channel of each image convolved with the same filters of one channel: N, C·filters, places. */
function byChannel(
  g: Graph,
  image: Value,
  filters: Value,
  attributes: ReturnType<typeof window>,
  size: number[],
): Value {
  const [n, c, h, w] = image.shape as [number, number, number, number];
  const k = filters.shape[0]!;
  const channels = reshapeValue(g, image, [n * c, 1, h, w]);
  const all = g.op("Conv", [channels, filters], [n * c, k, ...size], "float32", attributes);
  return reshapeValue(g, all, [n, c * k, sizeOf(size)]);
}

/**
 * The gradient with respect to the filter: for each image the windows of the input times the gradient, and the sum.
 *
 * What a window sees is spread out along rows on the input's side and along columns on the gradient's side, where that makes
 * less to write than whole windows on one side: the input in kw places next to each other, the gradient in kh places one
 * above the other, over as many rows as the padded input has.
 */
function byImage(g: Graph, image: Value, gradient: Value, info: Info): Arr {
  const { filterHeight: kh, filterWidth: kw, inChannels: c, outChannels: o, batchSize: n, outHeight, outWidth } = info;
  const attributes = window(info);
  const shape = [kh, kw, c, o];
  const product = (left: Value, right: Value, rows: number, columns: number): Value => {
    const products = batchedProduct(g, left, right, [n, rows, columns], false, true);
    return g.op("ReduceSum", [products, g.int64([0])], [rows, columns], "float32", { keepdims: 0 });
  };
  const isUnit = [...attributes.strides, ...attributes.dilations].every((step) => step === 1);
  if (target.provider === "cpu" && isUnit && kh * o + kw * c < kh * kw * c) {
    const [top, left, bottom, right] = attributes.pads as [number, number, number, number];
    const size = [info.inHeight + top + bottom, outWidth];
    const along = { ...attributes, kernel_shape: [1, kw], pads: [top, left, bottom, right] };
    const down = { ...attributes, kernel_shape: [kh, 1], pads: [kh - 1, 0, kh - 1, 0] };
    const inputs = byChannel(g, image, picks(g, 1, kw), along, size);
    const gradients = byChannel(
      g,
      gradient,
      picks(g, kh, 1, (i) => kh - 1 - i),
      down,
      size,
    );
    const sum = reshapeValue(g, product(gradients, inputs, o * kh, c * kw), [o, kh, c, kw]);
    return arr(transposeValue(g, sum, [0, 2, 1, 3]), shape, oihw);
  }
  const isWhole = kh * kw === 1 && isUnit;
  const seen = isWhole
    ? reshapeValue(g, image, [n, c, outHeight * outWidth])
    : byChannel(g, image, picks(g, kh, kw), attributes, [outHeight, outWidth]);
  const each = reshapeValue(g, gradient, [n, o, outHeight * outWidth]);
  return arr(reshapeValue(g, product(each, seen, o, c * kh * kw), [o, c, kh, kw]), shape, oihw);
}

/** The gradient with respect to the filter: image by image where images are large, else as one product over the batch. */
export function filterGradient(g: Graph, x: Arr, dy: Arr, info: Info): Arr {
  if (isByRows(info)) return filterGradientByRows(g, x, dy, info);
  const { filterHeight: kh, filterWidth: kw, inChannels: c, outChannels: o, batchSize: n } = info;
  const places = info.outHeight * info.outWidth;
  const gradient = fullAs(g, dy, nchw);
  if (o <= 2 * places && info.padInfo.top < kh && info.padInfo.left < kw)
    return byImage(g, fullAs(g, x, nchw), gradient, info);
  const flat = reshapeValue(g, transposeValue(g, gradient, [1, 0, 2, 3]), [o, n * places]);
  const product = g.op("Gemm", [flat, windows(g, x, info)], [o, c * kh * kw], "float32", { transA: 0, transB: 1 });
  return arr(reshapeValue(g, product, [o, c, kh, kw]), [kh, kw, c, o], oihw);
}

/**
 * The same, channel by channel: a batch of products of one row; of large windows, what they see is spread out as in `byImage`, along rows
 * on the input's side and along columns on the gradient's.
 */
export function depthwiseFilterGradient(g: Graph, x: Arr, dy: Arr, info: Info): Arr {
  const { filterHeight: kh, filterWidth: kw, inChannels: c, batchSize: n, outHeight: oh, outWidth: ow } = info;
  const multiplier = info.outChannels / c;
  const attributes = window(info);
  const isUnit = [...attributes.strides, ...attributes.dilations].every((step) => step === 1);
  if (target.provider === "cpu" && isUnit && kh * kw > 2 * (kh + kw)) {
    const [top, left, bottom, right] = attributes.pads as [number, number, number, number];
    const size = [info.inHeight + top + bottom, ow];
    const along = { ...attributes, kernel_shape: [1, kw], pads: [top, left, bottom, right] };
    const down = { ...attributes, kernel_shape: [kh, 1], pads: [kh - 1, 0, kh - 1, 0] };
    const places = sizeOf(size);
    const flipped = picks(g, kh, 1, (i) => kh - 1 - i);
    const inputs = reshapeValue(g, byChannel(g, fullAs(g, x, nchw), picks(g, 1, kw), along, size), [n * c, kw, places]);
    const gradients = byChannel(g, fullAs(g, dy, nchw), flipped, down, size);
    const rows = reshapeValue(g, gradients, [n * c, multiplier * kh, places]);
    const products = batchedProduct(g, rows, inputs, [n * c, multiplier * kh, kw], false, true);
    const all = reshapeValue(g, products, [n, c * multiplier * kh * kw]);
    const sum = g.op("ReduceSum", [all, g.int64([0])], [c * multiplier * kh * kw], "float32", { keepdims: 0 });
    return arr(reshapeValue(g, sum, [c, multiplier, kh, kw]), [kh, kw, c, multiplier], [2, 3, 0, 1]);
  }
  const places = n * oh * ow;
  const gradient = reshapeValue(g, transposeValue(g, fullAs(g, dy, nchw), [1, 0, 2, 3]), [c, multiplier, places]);
  const columns = reshapeValue(g, windows(g, x, info), [c, kh * kw, places]);
  const value = batchedProduct(g, gradient, columns, [c, multiplier, kh * kw], false, true);
  return arr(reshapeValue(g, value, [c, multiplier, kh, kw]), [kh, kw, c, multiplier], [2, 3, 0, 1]);
}

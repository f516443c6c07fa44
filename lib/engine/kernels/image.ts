/** Kernels that sample images. Interpolation is a product with a matrix of weights from either side, so its gradient is, too. */
import type {
  CropAndResizeAttrs,
  LRNAttrs,
  ResizeBilinearAttrs,
  ResizeNearestNeighborAttrs,
} from "@tensorflow/tfjs-core";
import { type Arr, arr, elementwise, full, pick, reshape } from "../graph/arr.ts";
import { type Graph, sizeOf } from "../graph/graph.ts";
import { add, cast, clip, div, float, mul, scalar, sub, where } from "./elementwise.ts";
import { matMul } from "./linalg.ts";
import { define, type Inputs } from "./registry.ts";
import { reverse, slice, transpose } from "./shape.ts";

type Sampling = Pick<ResizeBilinearAttrs, "alignCorners" | "halfPixelCenters">;

/** The place in the source, in fractions of a pixel, of every pixel of the result. */
function places(from: number, to: number, { alignCorners }: Sampling, shift: number): number[] {
  const ratio = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  return Array.from({ length: to }, (_, i) => ratio * (i + shift));
}

function nearest(from: number, to: number, how: Sampling): number[] {
  const round = how.alignCorners ? Math.round : Math.floor;
  return places(from, to, how, how.halfPixelCenters ? 0.5 : 0).map((at) => Math.min(from - 1, Math.max(0, round(at))));
}

/** What each pixel of the source adds to each of the result, along one axis: a matrix of shape `[to, from]`. */
function weights(from: number, to: number, how: Sampling, isNearest: boolean): Float32Array {
  const matrix = new Float32Array(to * from);
  const at = isNearest
    ? nearest(from, to, how)
    : places(from, to, how, how.halfPixelCenters ? 0.5 : 0).map((place) =>
        how.halfPixelCenters ? place - 0.5 : place,
      );
  at.forEach((place, row) => {
    const left = Math.min(from - 1, Math.floor(Math.max(0, place)));
    const share = Math.max(0, place) - left;
    matrix[row * from + left]! += 1 - share;
    matrix[row * from + Math.min(from - 1, left + 1)]! += share;
  });
  return matrix;
}

function turned(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j]!;
  return out;
}

/** Images times the matrices of rows and columns; with `back`, times their transposes. */
function sampled(
  g: Graph,
  x: Arr,
  size: readonly [number, number],
  how: Sampling,
  isNearest: boolean,
  back: boolean,
): Arr {
  const images = transpose(float(g, x), [0, 3, 1, 2]);
  const matrix = (from: number, to: number): Arr => {
    const data = back ? turned(weights(to, from, how, isNearest), from, to) : weights(from, to, how, isNearest);
    return arr(g.constant(data, [to, from], "float32"));
  };
  const columns = matMul(g, images, matrix(images.shape[3]!, size[1]), false, true);
  return transpose(matMul(g, matrix(images.shape[2]!, size[0]), columns, false, false), [0, 2, 3, 1]);
}

define<ResizeBilinearAttrs>("ResizeBilinear", (g, { images }, a) =>
  sizeOf(images.shape) * sizeOf(a.size) === 0 ? null : sampled(g, images, a.size, a, false, false),
);
define<ResizeNearestNeighborAttrs>("ResizeNearestNeighbor", (g, { images }, a) => {
  if (sizeOf(images.shape) * sizeOf(a.size) === 0) return null;
  const axes = [1, 2].map((axis) => (images.perm ? images.perm.indexOf(axis) : axis));
  let { value } = images;
  axes.forEach((axis, i) => {
    // An axis of equal numbers is stored once.
    if (value.shape[axis] === images.shape[i + 1])
      value = pick(g, value, axis, nearest(images.shape[i + 1]!, a.size[i]!, a));
  });
  return arr(value, [images.shape[0]!, ...a.size, images.shape[3]!], images.perm);
});
for (const name of ["ResizeBilinearGrad", "ResizeNearestNeighborGrad"])
  define<Sampling>(name, (g, { images, dy }, how) => {
    if (sizeOf(images.shape) * sizeOf(dy.shape) === 0) return null;
    return sampled(g, dy, [images.shape[1]!, images.shape[2]!], how, name === "ResizeNearestNeighborGrad", true);
  });

define("FlipLeftRight", (g, { image }) => reverse(g, image!, [2]));

/** Each box's weights along one axis, `[boxes, 1, to, from]`, and which of its pixels lie in the image, `[boxes, to]`. */
function boxWeights(g: Graph, boxes: Arr, axis: 0 | 1, from: number, to: number, method: string): [Arr, Arr] {
  const count = boxes.shape[0]!;
  const [first, last] = [axis, axis + 2].map((at) => slice(g, boxes, [0, at], [count, 1])) as [Arr, Arr];
  const shares = Float32Array.from({ length: to }, (_, i) => (to > 1 ? i / (to - 1) : 0.5));
  const along = mul(g, sub(g, last, first), arr(g.constant(shares, [1, to], "float32")));
  const at = mul(g, add(g, first, along), scalar(g, from - 1));
  const above = elementwise(g, "GreaterOrEqual", [at, scalar(g, 0)], "bool");
  const inside = elementwise(
    g,
    "And",
    [above, elementwise(g, "LessOrEqual", [at, scalar(g, (from - 1) * (1 + 1e-6))], "bool")],
    "bool",
  );
  const place = reshape(g, clip(g, at, 0, from - 1), [count, 1, to, 1]);
  const pixels = arr(
    g.constant(
      Float32Array.from({ length: from }, (_, i) => i),
      [1, 1, 1, from],
      "float32",
    ),
  );
  if (method === "nearest") {
    const round = elementwise(g, "Floor", [add(g, place, scalar(g, 0.5))], "float32");
    return [cast(g, elementwise(g, "Equal", [round, pixels], "bool"), "float32"), inside];
  }
  const distance = elementwise(g, "Abs", [sub(g, place, pixels)], "float32");
  return [elementwise(g, "Relu", [sub(g, scalar(g, 1), distance)], "float32"), inside];
}
define<CropAndResizeAttrs>("CropAndResize", (g, inputs, { cropSize, method, extrapolationValue }) => {
  const { image, boxes, boxInd } = inputs as Inputs & { image: Arr; boxes: Arr; boxInd: Arr };
  const [, height, width, channels] = image.shape as [number, number, number, number];
  const [rows, columns] = cropSize;
  const count = boxes.shape[0]!;
  if (count * sizeOf(image.shape) * rows * columns === 0) return null;
  const [vertical, insideRows] = boxWeights(g, float(g, boxes), 0, height, rows, method);
  const [horizontal, insideColumns] = boxWeights(g, float(g, boxes), 1, width, columns, method);
  const chosen = [full(g, float(g, image)), full(g, cast(g, boxInd, "int32"))];
  const images = arr(g.op("Gather", chosen, [count, height, width, channels], "float32", { axis: 0 }));
  const tall = matMul(g, vertical, transpose(images, [0, 3, 1, 2]), false, false);
  const crops = transpose(matMul(g, tall, horizontal, false, true), [0, 2, 3, 1]);
  const [y, x] = [reshape(g, insideRows, [count, rows, 1, 1]), reshape(g, insideColumns, [count, 1, columns, 1])];
  return where(g, elementwise(g, "And", [y, x], "bool"), crops, scalar(g, extrapolationValue));
});

/** Sums over the neighbouring channels: a product with a matrix that has ones along a band. */
function neighbours(g: Graph, x: Arr, radius: number): Arr {
  const channels = x.shape.at(-1)!;
  const band = new Float32Array(channels * channels);
  for (let i = 0; i < channels; i++)
    for (let j = Math.max(0, i - radius); j <= Math.min(channels - 1, i + radius); j++) band[i * channels + j] = 1;
  const flat = reshape(g, x, [sizeOf(x.shape) / channels, channels]);
  return reshape(g, matMul(g, flat, arr(g.constant(band, [channels, channels], "float32")), false, false), x.shape);
}
const power = (g: Graph, x: Arr, exponent: number): Arr => elementwise(g, "Pow", [x, scalar(g, exponent)], "float32");
const spread = (g: Graph, x: Arr, { depthRadius, bias, alpha }: LRNAttrs): Arr =>
  add(g, mul(g, neighbours(g, mul(g, x, x), depthRadius), scalar(g, alpha)), scalar(g, bias));

define<LRNAttrs>("LRN", (g, { x }, a) =>
  sizeOf(x.shape) === 0 ? null : mul(g, x, power(g, spread(g, x, a), -a.beta)),
);
define<LRNAttrs>("LRNGrad", (g, { x, y, dy }, a) => {
  if (sizeOf(x.shape) === 0) return null;
  const norm = spread(g, x, a);
  const others = neighbours(g, div(g, mul(g, dy, y), norm), a.depthRadius);
  const own = mul(g, dy, power(g, norm, -a.beta));
  return sub(g, own, mul(g, mul(g, x, others), scalar(g, 2 * a.alpha * a.beta)));
});

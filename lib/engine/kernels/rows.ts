/**
 * Convolutions of small images as products of matrices with one row per place, in NHWC.
 *
 * ONNX Runtime's convolution works on one image at a time and shares none of it between threads where an image has fewer places
 * than the filter has outputs. Here the batch is one product, and the rows gathered for the forward pass serve the gradient of
 * the filter again.
 */
import { type Arr, arr, full, reshape, reshapeValue, transposeValue } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { target } from "../graph/target.ts";
import type { Info } from "./window.ts";

/** Rows are kept from the forward to the backward pass: at most this many numbers, 128 MB. */
const mostNumbers = 1 << 25;

/** Whether this is the faster way to a convolution and to both of its gradients. */
export function isByRows(info: Info): boolean {
  const places = info.outHeight * info.outWidth;
  const numbers = info.batchSize * places * info.filterHeight * info.filterWidth * info.inChannels;
  return target.provider === "cpu" && info.outChannels > places && numbers <= mostNumbers;
}

const outside = -1;

/** For each place of the output and each element of the window, the place of the input that it sees. */
function seen(info: Info): number[] {
  const { padInfo, inHeight, inWidth } = info;
  const places: number[] = [];
  for (let row = 0; row < info.outHeight; row++)
    for (let column = 0; column < info.outWidth; column++)
      for (let i = 0; i < info.filterHeight; i++)
        for (let j = 0; j < info.filterWidth; j++) {
          const y = row * info.strideHeight - padInfo.top + i * info.dilationHeight;
          const x = column * info.strideWidth - padInfo.left + j * info.dilationWidth;
          places.push(y >= 0 && y < inHeight && x >= 0 && x < inWidth ? y * inWidth + x : outside);
        }
  return places;
}

/** The other way round: for each place of the input and each element of the window, the place of the output that sees it. */
function seers(info: Info): number[] {
  const k = info.filterHeight * info.filterWidth;
  const places: number[] = new Array(info.inHeight * info.inWidth * k).fill(outside);
  seen(info).forEach((place, at) => {
    if (place !== outside) places[place * k + (at % k)] = Math.floor(at / k);
  });
  return places;
}

/** Rows of each image, `[n, rows, c]`, in another order; those outside are zero. */
function gather(g: Graph, images: Value, places: readonly number[]): Value {
  const [n, rows, c] = images.shape as [number, number, number];
  if (places.length === rows && places.every((place, at) => place === at)) return images;
  let source = images;
  if (places.includes(outside)) {
    const inputs = [images, g.int64([0, 0, 0, 0, 1, 0]), g.scalar(0)];
    source = g.op("Pad", inputs, [n, rows + 1, c], "float32", { mode: "constant" });
  }
  const indices = g.places(places.map((place) => (place === outside ? rows : place)));
  return g.op("Gather", [source, indices], [n, places.length, c], "float32", { axis: 1 });
}

/** Everything that the windows see, a row for each place of the output. */
function windowRows(g: Graph, x: Arr, info: Info): Value {
  const { batchSize: n, inChannels: c } = info;
  const images = reshapeValue(g, full(g, x), [n, info.inHeight * info.inWidth, c]);
  const width = info.filterHeight * info.filterWidth * c;
  return reshapeValue(g, gather(g, images, seen(info)), [n * info.outHeight * info.outWidth, width]);
}

const filterRows = (g: Graph, filter: Arr): Value => {
  const [h, w, from, to] = filter.shape as [number, number, number, number];
  return reshapeValue(g, full(g, filter), [h * w * from, to]);
};

export function convByRows(g: Graph, x: Arr, filter: Arr, info: Info): Arr {
  const rows = windowRows(g, x, info);
  const y = g.op("MatMul", [rows, filterRows(g, filter)], [rows.shape[0]!, info.outChannels], "float32");
  return reshape(g, arr(y), [info.batchSize, info.outHeight, info.outWidth, info.outChannels]);
}

export function filterGradientByRows(g: Graph, x: Arr, dy: Arr, info: Info): Arr {
  const { filterHeight: h, filterWidth: w, inChannels: from, outChannels: to } = info;
  const rows = windowRows(g, x, info);
  const gradient = reshapeValue(g, full(g, dy), [rows.shape[0]!, to]);
  const value = g.op("Gemm", [rows, gradient], [h * w * from, to], "float32", { transA: 1, transB: 0 });
  return reshape(g, arr(value), [h, w, from, to]);
}

/**
 * The gradient with respect to the input.
 *
 * Where the window moves by one, every place collects the gradients of all places that see it, for one product. Where it moves
 * further few places do, and the products of each are collected instead.
 */
export function inputGradientByRows(g: Graph, dy: Arr, filter: Arr, info: Info): Arr {
  const { batchSize: n, inChannels: from, outChannels: to, inHeight, inWidth } = info;
  const [k, inPlaces, outPlaces] = [
    info.filterHeight * info.filterWidth,
    inHeight * inWidth,
    sizeOf(dy.shape) / n / to,
  ];
  const shape = [n, inHeight, inWidth, from];
  const places = seers(info);
  const gradient = full(g, dy);
  if (info.strideHeight === 1 && info.strideWidth === 1) {
    const rows = gather(g, reshapeValue(g, gradient, [n, outPlaces, to]), places);
    const turned = transposeValue(g, reshapeValue(g, full(g, filter), [k, from, to]), [0, 2, 1]);
    const factors = [reshapeValue(g, rows, [n * inPlaces, k * to]), reshapeValue(g, turned, [k * to, from])];
    return reshape(g, arr(g.op("MatMul", factors, [n * inPlaces, from], "float32")), shape);
  }
  const factors = [reshapeValue(g, gradient, [n * outPlaces, to]), filterRows(g, filter)];
  const products = g.op("Gemm", factors, [n * outPlaces, k * from], "float32", { transA: 0, transB: 1 });
  // Each place's products, those that exist first; as many for each as the place that has most.
  const own = Array.from({ length: inPlaces }, (_, place) =>
    places.slice(place * k, (place + 1) * k).flatMap((at, i) => (at === outside ? [] : [at * k + i])),
  );
  const most = own.reduce((length, ats) => Math.max(length, ats.length), 1);
  const order = own.flatMap((ats) => [...ats, ...new Array<number>(most - ats.length).fill(outside)]);
  const collected = gather(g, reshapeValue(g, products, [n, outPlaces * k, from]), order);
  if (most === 1) return reshape(g, arr(collected), shape);
  const terms = reshapeValue(g, collected, [n * inPlaces, most, from]);
  const sum = g.op("ReduceSum", [terms, g.int64([1])], [n * inPlaces, from], "float32", { keepdims: 0 });
  return reshape(g, arr(sum), shape);
}

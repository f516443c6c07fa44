/** Kernels that pick and place elements by index, and those that make arrays from nothing. */
import type {
  FillAttrs,
  GatherV2Attrs,
  LinSpaceAttrs,
  OneHotAttrs,
  RangeAttrs,
  ScatterNdAttrs,
  SearchSortedAttrs,
  SparseToDenseAttrs,
  UnsortedSegmentSumAttrs,
} from "@tensorflow/tfjs-core";
import { backend_util, gather_util, util } from "@tensorflow/tfjs-core";
import { type Arr, arr, elementwise, full, reshape } from "../graph/arr.ts";
import { type Graph, sizeOf } from "../graph/graph.ts";
import { elementType } from "../runtime/storage.ts";
import { cast, scalar, where } from "./elementwise.ts";
import { reduce } from "./reduce.ts";
import { define, type Inputs } from "./registry.ts";
import { pad, slice } from "./shape.ts";

export function filled(g: Graph, shape: readonly number[], x: number, dtype: string): Arr {
  return arr(reshape(g, scalar(g, x, elementType(dtype)), new Array(shape.length).fill(1)).value, shape);
}
define<FillAttrs>("Fill", (g, _, { shape, value, dtype }) => {
  if (typeof value === "string" || dtype === "string") return null;
  const type = dtype ?? util.inferDtype(value);
  return filled(g, shape, type === "float32" ? Math.fround(value) : Math.trunc(Number(value)), type);
});
define("ZerosLike", (g, { x }) => filled(g, x.shape, 0, x.value.type));
define("OnesLike", (g, { x }) => filled(g, x.shape, 1, x.value.type));

define<RangeAttrs>("Range", (g, _, { start, stop, step, dtype }) => {
  if (start === stop || step === 0 || stop < start !== step < 0) return null;
  const count = Math.abs(Math.ceil((stop - start) / step));
  const data = dtype === "int32" ? new Int32Array(count) : new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = i === 0 ? start : data[i - 1]! + step;
  return arr(g.constant(data, [count], dtype === "int32" ? "int32" : "float32"));
});
define<LinSpaceAttrs>("LinSpace", (g, _, { start, stop, num }) => {
  const step = (stop - start) / (num - 1);
  const data = new Float32Array(num);
  for (let i = 0; i < num; i++) data[i] = i === 0 ? start : data[i - 1]! + step;
  return arr(g.constant(data, [num], "float32"));
});

define<GatherV2Attrs>("GatherV2", (g, { x, indices }, { axis, batchDims }) => {
  const info = (a: Arr) => ({ shape: a.shape, dtype: a.value.type, dataId: {} }) as never;
  backend_util.segment_util.collectGatherOpShapeInfo(info(x), info(indices), axis, batchDims);
  if (sizeOf(x.shape) === 0 || sizeOf(indices.shape) === 0) return null;
  const at = util.parseAxisParam(axis, x.shape as number[])[0]!;
  if (batchDims !== 0) {
    if (at !== batchDims) return null;
    const places = full(g, reshape(g, cast(g, indices, "int64"), [...indices.shape, 1]));
    const shape = [...indices.shape, ...x.shape.slice(at + 1)];
    return arr(g.op("GatherND", [full(g, x), places], shape, x.value.type, { batch_dims: batchDims }));
  }
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return arr(g.op("Gather", [full(g, x), full(g, cast(g, indices, "int32"))], shape, x.value.type, { axis: at }));
});
define("GatherNd", (g, { params, indices }) => {
  const info = (a: Arr) => ({ shape: a.shape, dtype: a.value.type }) as never;
  gather_util.prepareAndValidate(info(params), info(indices));
  if (sizeOf(params.shape) === 0 || sizeOf(indices.shape) === 0) return null;
  const depth = indices.shape.at(-1)!;
  const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)];
  return arr(g.op("GatherND", [full(g, params), full(g, cast(g, indices, "int64"))], shape, params.value.type));
});

function scatter(g: Graph, into: Arr, indices: Arr, updates: Arr, reduction: "add" | "none"): Arr {
  const { type } = updates.value;
  const values = [full(g, into), full(g, cast(g, indices, "int64")), full(g, updates)];
  return arr(g.op("ScatterND", values, into.shape, type, { reduction }));
}
define<ScatterNdAttrs>("ScatterNd", (g, { indices, updates }, { shape }) => {
  // Corners (no elements, a rank that leaves the update's shape open) are the fallback's.
  if (sizeOf(updates.shape) === 0 || indices.shape.length < 2 || updates.value.type === "bool") return null;
  const rows = indices.shape.slice(0, -1);
  const expected = [...rows, ...shape.slice(indices.shape.at(-1)!)];
  if (sizeOf(expected) !== sizeOf(updates.shape)) return null;
  return scatter(g, filled(g, shape, 0, updates.value.type), indices, reshape(g, updates, expected), "add");
});
define("TensorScatterUpdate", (g, { tensor, indices, updates }) => {
  if (sizeOf(updates.shape) === 0 || indices.shape.length < 2 || updates.value.type === "bool") return null;
  const expected = [...indices.shape.slice(0, -1), ...tensor.shape.slice(indices.shape.at(-1)!)];
  if (sizeOf(expected) !== sizeOf(updates.shape)) return null;
  return scatter(g, tensor, indices, reshape(g, updates, expected), "none");
});
define<UnsortedSegmentSumAttrs>("UnsortedSegmentSum", (g, { x, segmentIds }, { numSegments }) => {
  if (sizeOf(x.shape) === 0 || x.value.type === "bool") return null;
  const rank = segmentIds.shape.length;
  // Negative ids belong to no segment; their sum goes to a row that is cut off.
  const ids = cast(g, segmentIds, "int32");
  const outside = elementwise(g, "Less", [ids, scalar(g, 0, "int32")], "bool");
  const at = where(g, outside, scalar(g, numSegments, "int32"), ids);
  const row = x.shape.slice(rank);
  const zeros = filled(g, [numSegments + 1, ...row], 0, x.value.type);
  const sums = scatter(g, zeros, reshape(g, at, [...segmentIds.shape, 1]), x, "add");
  return slice(g, sums, [0, ...row.map(() => 0)], [numSegments, ...row]);
});

define<OneHotAttrs>("OneHot", (g, { indices }, { depth, onValue, offValue, dtype }) => {
  if (depth === 0 || sizeOf(indices.shape) === 0) return null;
  const classes = arr(
    g.constant(
      Int32Array.from({ length: depth }, (_, i) => i),
      [depth],
      "int32",
    ),
  );
  const column = reshape(g, cast(g, indices, "int32"), [...indices.shape, 1]);
  const hit = elementwise(g, "Equal", [column, classes], "bool");
  const type = elementType(dtype ?? "int32");
  if (onValue === 1 && offValue === 0) return cast(g, hit, type);
  return where(g, hit, scalar(g, onValue, type), scalar(g, offValue, type));
});

/** Shifted by one for every row: in an array of n rows and n + 1 columns each element comes to the diagonal. */
define("Diag", (g, { x }) => {
  const count = sizeOf(x.shape);
  if (count === 0) return null;
  const square = pad(
    g,
    reshape(g, x, [count, 1]),
    [
      [0, 0],
      [0, count],
    ],
    0,
  );
  const flat = slice(g, reshape(g, square, [count * (count + 1)]), [0], [count * count]);
  return reshape(g, flat, [...x.shape, ...x.shape]);
});

define<SparseToDenseAttrs>("SparseToDense", (g, inputs, { outputShape }) => {
  const { sparseIndices, sparseValues, defaultValue } = inputs as Inputs & {
    sparseIndices: Arr;
    sparseValues: Arr;
    defaultValue: Arr;
  };
  const { type } = sparseValues.value;
  if (type === "bool" || sizeOf(sparseIndices.shape) * sizeOf(outputShape) === 0) return null;
  const depth = sparseIndices.shape.length < 2 ? 1 : sparseIndices.shape[1]!;
  const count = sizeOf(sparseIndices.shape) / depth;
  const shape = [count, ...outputShape.slice(depth)];
  const empty = arr(g.op("Expand", [full(g, cast(g, defaultValue, type)), g.int64(outputShape)], outputShape, type));
  const values =
    sizeOf(sparseValues.shape) === 1
      ? arr(
          reshape(
            g,
            sparseValues,
            shape.map(() => 1),
          ).value,
          shape,
        )
      : sparseValues;
  return scatter(g, empty, reshape(g, sparseIndices, [count, depth]), reshape(g, values, shape), "none");
});

/** How many of a sorted row are below each value, or not above it. */
define<SearchSortedAttrs>("SearchSorted", (g, inputs, { side }) => {
  const { sortedSequence, values } = inputs as Inputs & { sortedSequence: Arr; values: Arr };
  const [rows, length] = sortedSequence.shape as [number, number];
  const count = values.shape[1]!;
  if (rows * length * count === 0) return null;
  const [sorted, wanted] = [reshape(g, sortedSequence, [rows, 1, length]), reshape(g, values, [rows, count, 1])];
  const below = elementwise(g, side === "left" ? "Less" : "LessOrEqual", [sorted, wanted], "bool");
  return reduce(g, "ReduceSum", cast(g, below, "int32"), [2], false);
});

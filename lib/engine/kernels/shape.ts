/** Kernels that rearrange elements. */
import {
  backend_util,
  type ConcatAttrs,
  type MirrorPadAttrs,
  type PackAttrs,
  type PadV2Attrs,
  type ReverseAttrs,
  type SliceAttrs,
  type SplitVAttrs,
  type StridedSliceAttrs,
  slice_util,
  type TileAttrs,
  type TransposeAttrs,
  type UnpackAttrs,
  util,
} from "@tensorflow/tfjs-core";
import { type Arr, arr, full, fullAs, invert, type Permutation, permute, pick, plain, reshape } from "../graph/arr.ts";
import { type Graph, sizeOf, type Value } from "../graph/graph.ts";
import { target } from "../graph/target.ts";
import { define } from "./registry.ts";

/** The permutation under which several arrays are best joined: that of the largest permuted one. */
const jointPerm = (arrays: readonly Arr[]): Permutation | null => {
  let best: Arr | null = null;
  for (const a of arrays) if (a.perm && (!best || sizeOf(a.shape) > sizeOf(best.shape))) best = a;
  return best?.perm ?? null;
};
const allAs = (g: Graph, a: Arr, perm: Permutation | null) => (perm ? fullAs(g, a, perm) : full(g, a));
const storedAxis = (axis: number, perm: Permutation | null): number => (perm ? perm.indexOf(axis) : axis);

export function transpose(a: Arr, perm: readonly number[]): Arr {
  const back = invert(perm);
  const now = (a.perm ?? a.shape.map((_, i) => i)).map((axis) => back[axis]!);
  const identity = now.every((axis, i) => axis === i);
  return arr(a.value, permute(a.shape, perm), identity ? null : now);
}
define<TransposeAttrs>("Transpose", (_, { x }, { perm }) => transpose(x, perm));

export function concat(g: Graph, arrays: readonly Arr[], axis: number): Arr {
  const parts = arrays.filter((a) => sizeOf(a.shape) > 0);
  if (parts.length === 0) {
    const shape = [...arrays[0]!.shape];
    shape[axis] = arrays.reduce((sum, a) => sum + a.shape[axis]!, 0);
    return arr(full(g, arrays[0]!), shape);
  }
  if (parts.length === 1) return parts[0]!;
  const perm = jointPerm(parts);
  const shape = [...parts[0]!.shape];
  shape[axis] = parts.reduce((sum, a) => sum + a.shape[axis]!, 0);
  const values = parts.map((a) => allAs(g, a, perm));
  const stored = perm ? permute(shape, perm) : shape;
  const value = g.op("Concat", values, stored, values[0]!.type, { axis: storedAxis(axis, perm) });
  return arr(value, shape, perm);
}
define<ConcatAttrs>("Concat", (g, inputs, { axis }) => {
  const arrays = Object.values(inputs) as Arr[];
  const at = util.parseAxisParam(axis, arrays[0]!.shape as number[])[0]!;
  const shapes = arrays.map(({ shape }) => shape as number[]);
  backend_util.assertParamsConsistent(shapes, at);
  if (arrays.every((a) => sizeOf(a.shape) === 0)) return null;
  return concat(g, arrays, at);
});
define<PackAttrs>("Pack", (g, inputs, { axis }) => {
  const arrays = Object.values(inputs) as Arr[];
  const at = axis < 0 ? axis + arrays[0]!.shape.length + 1 : axis;
  for (const { shape, value } of arrays) {
    const message = "All tensors passed to stack must have matching";
    util.assertShapesMatch(arrays[0]!.shape as number[], shape as number[], `${message} shapes`);
    util.assert(value.type === arrays[0]!.value.type, () => `${message} dtypes`);
  }
  const shape = [...arrays[0]!.shape];
  shape.splice(at, 0, 1);
  return concat(
    g,
    arrays.map((a) => reshape(g, a, shape)),
    at,
  );
});

export function slice(g: Graph, x: Arr, begin: readonly number[], size: readonly number[]): Arr {
  const { perm, value } = x;
  const stored = [...value.shape];
  const [starts, ends, axes]: [number[], number[], number[]] = [[], [], []];
  for (let axis = 0; axis < size.length; axis++) {
    const at = storedAxis(axis, perm);
    if (size[axis] === x.shape[axis] || (value.shape[at] === 1 && size[axis]! > 0)) continue;
    starts.push(begin[axis]!);
    ends.push(begin[axis]! + size[axis]!);
    axes.push(at);
    stored[at] = size[axis]!;
  }
  if (axes.length === 0) return arr(value, size, perm);
  return arr(g.op("Slice", [value, g.int64(starts), g.int64(ends), g.int64(axes)], stored, value.type), size, perm);
}
define<SliceAttrs>("Slice", (g, { x }, attributes) => {
  const [begin, size] = slice_util.parseSliceParams(
    { shape: x.shape } as never,
    attributes.begin as number,
    attributes.size as number,
  ) as [number[], number[]];
  slice_util.assertParamsValid({ shape: x.shape } as never, begin, size);
  return slice(g, x, begin, size);
});
define<StridedSliceAttrs>("StridedSlice", (g, { x }, a) => {
  const info = slice_util.sliceInfo(
    x.shape as number[],
    a.begin,
    a.end,
    a.strides,
    a.beginMask,
    a.endMask,
    a.ellipsisMask,
    a.newAxisMask,
    a.shrinkAxisMask,
  );
  const { finalShape, finalShapeSparse, isIdentity, isSimpleSlice, sliceDim0, begin, end, strides } = info;
  if (isIdentity) return reshape(g, x, finalShape);
  if (sizeOf(finalShape) === 0) return null;
  if (sliceDim0 || isSimpleSlice) {
    const size = slice_util.computeOutShape(begin, end, strides);
    return reshape(g, slice(g, x, begin, size), finalShape);
  }
  if (target.provider !== "cpu") {
    // Slices that run backwards are wrong on WebGPU in ONNX Runtime 1.30.
    let value = full(g, x);
    finalShapeSparse.forEach((count, axis) => {
      const places = Array.from({ length: count }, (_, i) => begin[axis]! + i * strides[axis]!);
      value = pick(g, value, axis, places);
    });
    return reshape(g, arr(value), finalShape);
  }
  // Going backwards past the first element is written as the end before it.
  const ends = end.map((e, i) => (strides[i]! < 0 && e < 0 ? -x.shape[i]! - 1 : e));
  const axes = g.int64(begin.map((_, i) => i));
  const value = g.op(
    "Slice",
    [full(g, x), g.int64(begin), g.int64(ends), axes, g.int64(strides)],
    finalShapeSparse,
    x.value.type,
  );
  return reshape(g, arr(value), finalShape);
});

function split(g: Graph, x: Arr, sizes: readonly number[], axis: number): Arr[] {
  const { perm } = x;
  const shapes = sizes.map((size) => x.shape.map((dim, i) => (i === axis ? size : dim)));
  if (sizes.length === 1) return [x];
  const values = g.ops(
    "Split",
    [allAs(g, x, perm), g.int64(sizes)],
    shapes.map((shape) => ({ shape: perm ? permute(shape, perm) : shape, type: x.value.type })),
    { axis: storedAxis(axis, perm) },
  );
  return values.map((value, i) => arr(value, shapes[i]!, perm));
}
define<SplitVAttrs>("SplitV", (g, { x }, { numOrSizeSplits, axis }) => {
  const at = util.parseAxisParam(axis, x.shape as number[])[0]!;
  const sizes = backend_util.prepareSplitSize({ shape: x.shape } as never, numOrSizeSplits, at);
  return split(g, x, sizes, at);
});
define<UnpackAttrs>("Unpack", (g, { value }, { axis }) => {
  const at = axis < 0 ? axis + value.shape.length : axis;
  const shape = value.shape.filter((_, i) => i !== at);
  return split(g, value, new Array(value.shape[at]!).fill(1), at).map((part) => reshape(g, part, shape));
});

export function pad(g: Graph, x: Arr, paddings: readonly (readonly number[])[], fill: number): Arr {
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return x;
  const { perm } = x;
  const shape = x.shape.map((dim, i) => dim + paddings[i]![0]! + paddings[i]![1]!);
  const order = perm ? permute(paddings as never, perm) : paddings;
  const pads = [
    ...(order as number[][]).map(([before]) => before!),
    ...(order as number[][]).map(([, after]) => after!),
  ];
  const inputs = [allAs(g, x, perm), g.int64(pads), g.scalar(fill, x.value.type)];
  const value = g.op("Pad", inputs, perm ? permute(shape, perm) : shape, x.value.type, { mode: "constant" });
  return arr(value, shape, perm);
}
define<PadV2Attrs>("PadV2", (g, { x }, { paddings, constantValue }) =>
  sizeOf(x.shape) === 0 ? null : pad(g, x, paddings, constantValue),
);
define<MirrorPadAttrs>("MirrorPad", (g, { x }, { paddings, mode }) => {
  // Picking by index serves both modes; ONNX has no symmetric one.
  const skip = mode === "reflect" ? 1 : 0;
  let out = plain(g, arr(full(g, x)));
  paddings.forEach(([before, after], axis) => {
    if (before === 0 && after === 0) return;
    const dim = x.shape[axis]!;
    const at: number[] = [];
    for (let i = -before; i < dim + after; i++) {
      at.push(i < 0 ? -i - 1 + skip : i >= dim ? 2 * dim - i - 1 - skip : i);
    }
    const shape = [...out.shape];
    shape[axis] = at.length;
    out = g.op("Gather", [out, g.int64(at)], shape, out.type, { axis });
  });
  return arr(out);
});

define<TileAttrs>("Tile", (g, { x }, { reps }) => {
  const shape = x.shape.map((dim, i) => dim * reps[i]!);
  if (sizeOf(shape) === 0) return null;
  // An axis of length one that is repeated is stored once.
  if (x.shape.every((dim, i) => dim === 1 || reps[i] === 1 || x.value.shape[storedAxis(i, x.perm)] === 1))
    return arr(x.value, shape, x.perm);
  return arr(g.op("Tile", [full(g, x), g.int64(reps)], shape, x.value.type));
});

/** A stored axis the other way round, by picking: slices that run backwards are wrong on WebGPU in ONNX Runtime 1.30. */
export const backwards = (g: Graph, value: Value, axis: number): Value =>
  pick(
    g,
    value,
    axis,
    Array.from({ length: value.shape[axis]! }, (_, i) => value.shape[axis]! - 1 - i),
  );

export function reverse(g: Graph, x: Arr, dims: readonly number[]): Arr {
  const axes = dims.filter((axis) => x.shape[axis]! > 1);
  if (axes.length === 0) return x;
  if (target.provider !== "cpu") return arr(axes.reduce((value, axis) => backwards(g, value, axis), full(g, x)));
  const steps = g.int64(axes.map(() => -1));
  const starts = g.int64(axes.map((axis) => x.shape[axis]! - 1));
  const ends = g.int64(axes.map((axis) => -x.shape[axis]! - 1));
  return arr(g.op("Slice", [full(g, x), starts, ends, g.int64(axes), steps], x.shape, x.value.type));
}
define<ReverseAttrs>("Reverse", (g, { x }, { dims }) => reverse(g, x, util.parseAxisParam(dims, x.shape as number[])));

/** Kernels that reduce axes. */
import {
  type ArgMaxAttrs,
  type CumprodAttrs,
  type CumsumAttrs,
  type SumAttrs,
  type TopKAttrs,
  util,
} from "@tensorflow/tfjs-core";
import { type Arr, arr, full, reshape } from "../graph/arr.ts";
import { type Graph, sizeOf } from "../graph/graph.ts";
import { cast, float, mul, scalar } from "./elementwise.ts";
import { define } from "./registry.ts";
import { pad, slice } from "./shape.ts";

/** Reduces axes in whatever layout the array is stored. */
export function reduce(g: Graph, op: string, x: Arr, axes: readonly number[], keepDims: boolean): Arr {
  const kept = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  const dropped = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  if (axes.length === 0) return x;
  // Axes stored with length one: nothing to reduce there, but a sum counts them.
  const inStore = (axis: number): number => (x.perm ? x.perm.indexOf(axis) : axis);
  const real = axes.filter((axis) => x.value.shape[inStore(axis)] !== 1);
  let times = 1;
  for (const axis of axes) times *= x.shape[axis]! / x.value.shape[inStore(axis)]!;
  if (op === "ReduceProd" && times > 1) return reduce(g, op, arr(full(g, x)), axes, keepDims);
  let result: Arr;
  if (real.length === 0) {
    result = reshape(g, arr(x.value, kept, x.perm), dropped);
  } else {
    const storedAxes = real.map(inStore).sort((p, q) => p - q);
    const left = x.value.shape.map((dim, i) => (storedAxes.includes(i) ? 1 : dim));
    const order = (x.perm ?? x.shape.map((_, i) => i)).filter((axis) => !axes.includes(axis));
    const inOrder = order.every((axis, i) => i === 0 || axis > order[i - 1]!);
    const isAll = storedAxes.length === axes.length;
    if (!keepDims && inOrder && isAll) {
      const shape = x.value.shape.filter((_, i) => !storedAxes.includes(i));
      result = arr(g.op(op, [x.value, g.int64(storedAxes)], shape, x.value.type, { keepdims: 0 }), dropped);
    } else {
      const value = g.op(op, [x.value, g.int64(storedAxes)], left, x.value.type, { keepdims: 1 });
      result = reshape(g, arr(value, kept, x.perm), dropped);
    }
  }
  return op === "ReduceSum" && times > 1 ? mul(g, result, scalar(g, times, x.value.type)) : result;
}

const axesOf = (axis: number | number[] | undefined, x: Arr): number[] =>
  util.parseAxisParam(axis as number, x.shape as number[]);

define<SumAttrs>("Sum", (g, { x }, { axis, keepDims }) =>
  reduce(g, "ReduceSum", x.value.type === "bool" ? cast(g, x, "int32") : x, axesOf(axis, x), keepDims),
);
define<SumAttrs>("Mean", (g, { x }, { axis, keepDims }) =>
  reduce(g, "ReduceMean", float(g, x), axesOf(axis, x), keepDims),
);
define<SumAttrs>("Prod", (g, { x }, { axis, keepDims }) =>
  reduce(g, "ReduceProd", x.value.type === "bool" ? cast(g, x, "int32") : x, axesOf(axis, x), keepDims),
);
for (const [kernel, op] of [
  ["Max", "ReduceMax"],
  ["Min", "ReduceMin"],
  ["Any", "ReduceMax"],
  ["All", "ReduceMin"],
] as const)
  define<SumAttrs & { reductionIndices?: number | number[] }>(
    kernel,
    (g, { x }, { axis, reductionIndices, keepDims }) => {
      const axes = axesOf(axis ?? reductionIndices, x);
      const numbers = x.value.type === "bool" ? cast(g, x, "int32") : x;
      return cast(g, reduce(g, op, numbers, axes, keepDims), x.value.type);
    },
  );

for (const op of ["ArgMax", "ArgMin"])
  define<ArgMaxAttrs>(op, (g, { x }, { axis }) => {
    const at = axesOf(axis, x)[0]!;
    const shape = x.shape.filter((_, i) => i !== at);
    const numbers = x.value.type === "bool" ? cast(g, x, "int32") : x;
    return cast(g, arr(g.op(op, [full(g, numbers)], shape, "int64", { axis: at, keepdims: 0 })), "int32");
  });

define<CumsumAttrs>("Cumsum", (g, { x }, { axis, exclusive, reverse }) => {
  const numbers = x.value.type === "bool" ? cast(g, x, "int32") : x;
  const at = g.scalar(axesOf(axis, x)[0]!, "int64");
  const attributes = { exclusive: Number(exclusive), reverse: Number(reverse) };
  return arr(g.op("CumSum", [full(g, numbers), at], x.shape, numbers.value.type, attributes));
});

/** Doubling: after the pass with shift s, every element is the product of the last 2s up to it. */
define<CumprodAttrs>("Cumprod", (g, { x }, { axis, exclusive, reverse }) => {
  if (sizeOf(x.shape) === 0) return null;
  const at = axesOf(axis, x)[0]!;
  const length = x.shape[at]!;
  let product = arr(full(g, x.value.type === "bool" ? cast(g, x, "int32") : x));
  const shifted = (a: Arr, by: number): Arr => {
    const size = a.shape.map((dim, i) => (i === at ? length - by : dim));
    const ones = a.shape.map((_, i) => (i === at ? by : 0));
    const none = a.shape.map(() => 0);
    const kept = slice(g, a, reverse ? ones : none, size);
    return pad(
      g,
      kept,
      ones.map((count) => (reverse ? [0, count] : [count, 0])),
      1,
    );
  };
  if (exclusive) product = shifted(product, 1);
  for (let by = 1; by < length; by *= 2) product = mul(g, product, shifted(product, by));
  return product;
});

define<TopKAttrs>("TopK", (g, { x }, { k }) => {
  if (x.shape.length === 0 || k === 0 || sizeOf(x.shape) === 0) return null;
  const numbers = x.value.type === "bool" ? cast(g, x, "int32") : x;
  const shape = [...x.shape.slice(0, -1), k];
  const [values, at] = g.ops(
    "TopK",
    [full(g, numbers), g.int64([k])],
    [
      { shape, type: numbers.value.type },
      { shape, type: "int64" },
    ],
    { sorted: 1 },
  );
  return [cast(g, arr(values!), x.value.type), cast(g, arr(at!), "int32")];
});

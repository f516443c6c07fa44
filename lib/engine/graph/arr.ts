/**
 * Arrays as kernels see them: a value together with how it is laid out.
 *
 * Two freedoms keep programs small. An array may be stored with its axes permuted (convolutions compute in NCHW with OIHW
 * filters while TensorFlow.js speaks NHWC and HWIO; transposes appear only where a plain layout is really needed), and an
 * axis along which all numbers are equal may be stored with length one (fills, tiles and the gradients of means are
 * never written out).
 */
import type { Attributes, ElementType } from "../onnx/writer.ts";
import { constantNumber, type Graph, sameShape, sizeOf, type Value } from "./graph.ts";
import { target } from "./target.ts";

export type Permutation = readonly number[];
export type DType = "float32" | "int32" | "bool";

export interface Arr {
  readonly value: Value;
  /** The shape TensorFlow.js sees. */
  readonly shape: readonly number[];
  /** How the stored axes are taken from the logical ones, or null when stored as seen. */
  readonly perm: Permutation | null;
}

/** NHWC seen, NCHW stored. */
export const nchw: Permutation = [0, 3, 1, 2];
/** HWIO seen, OIHW stored. */
export const oihw: Permutation = [3, 2, 0, 1];

export const invert = (perm: Permutation): number[] => {
  const out: number[] = new Array(perm.length);
  perm.forEach((from, to) => {
    out[from] = to;
  });
  return out;
};
export const permute = (shape: readonly number[], perm: Permutation): number[] => perm.map((axis) => shape[axis]!);
const isIdentity = (perm: Permutation): boolean => perm.every((axis, i) => axis === i);

/** Elementwise operations through which a transpose may move towards the leaves. */
const movable = new Set(
  "Add Sub Mul Div Pow Max Min Neg Abs Exp Log Sqrt Reciprocal Tanh Sigmoid Relu Sign Cast Greater Less GreaterOrEqual LessOrEqual Equal And Or Not Where Clip Identity".split(
    " ",
  ),
);

export const arr = (value: Value, shape: readonly number[] = value.shape, perm: Permutation | null = null): Arr => ({
  value,
  shape,
  perm,
});

export const reshapeValue = (g: Graph, v: Value, shape: readonly number[]): Value => {
  if (sameShape(v.shape, shape)) return v;
  if (v.leaf?.kind === "constant") return g.constant(v.leaf.data, shape, v.type);
  if (v.node?.op === "Reshape") return reshapeValue(g, v.node.inputs[0]!, shape);
  return g.op("Reshape", [v, g.int64(shape)], shape, v.type);
};

/** Transposes a stored value, as cheaply as can be. */
export function transposeValue(g: Graph, v: Value, perm: Permutation): Value {
  if (isIdentity(perm)) return v;
  const shape = permute(v.shape, perm);
  const kept = perm.filter((axis) => v.shape[axis] !== 1);
  if (kept.every((axis, i) => i === 0 || axis > kept[i - 1]!)) return reshapeValue(g, v, shape);
  if (v.node?.op === "Transpose") {
    const inner = v.node.attributes!.perm as number[];
    return transposeValue(g, v.node.inputs[0]!, permute(inner, perm));
  }
  if (moves(v, perm.length, 12)) {
    const node = v.node!;
    const inputs = node.inputs.map((input) => {
      if (!input || sizeOf(input.shape) === 1) return input;
      return transposeValue(g, padRank(g, input, perm.length), perm);
    });
    return g.op(node.op, inputs, shape, v.type, node.attributes, node.domain);
  }
  return g.op("Transpose", [v], shape, v.type, { perm });
}

/** Whether transposing `v` costs no more than transposing its inputs, and those are leaves or transposed already. */
function moves(v: Value, rank: number, depth: number): boolean {
  if (!v.node || depth === 0 || v.shape.length !== rank || !movable.has(v.node.op)) return false;
  return v.node.inputs.every((input) => {
    if (!input || sizeOf(input.shape) === 1 || input.shape.length < rank) return true;
    return input.leaf !== null || input.node?.op === "Transpose" || moves(input, rank, depth - 1);
  });
}

const padRank = (g: Graph, v: Value, rank: number): Value =>
  v.shape.length >= rank ? v : reshapeValue(g, v, [...new Array(rank - v.shape.length).fill(1), ...v.shape]);

/** The value in the layout seen; axes of equal numbers may still have length one. */
export const plain = (g: Graph, a: Arr): Value =>
  a.perm === null ? a.value : transposeValue(g, a.value, invert(a.perm));

/** The value stored with `perm`; axes of equal numbers may still have length one. */
export const stored = (g: Graph, a: Arr, perm: Permutation | null): Value =>
  perm === null
    ? plain(g, a)
    : a.perm !== null && sameShape(a.perm, perm)
      ? a.value
      : transposeValue(g, plain(g, a), perm);

const expand = (g: Graph, v: Value, shape: readonly number[]): Value =>
  sameShape(v.shape, shape) ? v : g.op("Expand", [v, g.int64(shape)], shape, v.type);

/** The value written out in the layout seen. */
export const full = (g: Graph, a: Arr): Value => expand(g, plain(g, a), a.shape);

/** The value written out, stored with `perm`. */
export const fullAs = (g: Graph, a: Arr, perm: Permutation): Value =>
  expand(g, stored(g, a, perm), permute(a.shape, perm));

export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = new Array(rank);
  for (let i = 1; i <= rank; i++) {
    const x = a[a.length - i] ?? 1;
    const y = b[b.length - i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new Error(`Operands could not be broadcast together with shapes ${a} and ${b}.`);
    out[rank - i] = x === 1 ? y : x;
  }
  return out;
}

/** The number that fills the array, or null when it is not one constant. */
export const filledWith = (a: Arr): number | null => constantNumber(a.value);

/** Applies an elementwise operation, in the layout of the largest permuted operand. */
export function elementwise(
  g: Graph,
  op: string,
  inputs: readonly Arr[],
  type: ElementType,
  attributes?: Attributes,
  domain = "",
): Arr {
  let shape: readonly number[] = inputs[0]!.shape;
  for (let i = 1; i < inputs.length; i++) shape = broadcast(shape, inputs[i]!.shape);
  let perm: Permutation | null = null;
  let size = -1;
  for (const a of inputs) {
    if (a.perm && a.shape.length === shape.length && sizeOf(a.value.shape) > size) {
      perm = a.perm;
      size = sizeOf(a.value.shape);
    }
  }
  const values = inputs.map((a) => {
    if (perm === null) return plain(g, a);
    if (sizeOf(a.value.shape) === 1) return reshapeValue(g, a.value, []);
    if (a.shape.length === shape.length) return stored(g, a, perm);
    return transposeValue(g, padRank(g, plain(g, a), shape.length), perm);
  });
  let storedShape = values[0]!.shape;
  for (let i = 1; i < values.length; i++) storedShape = broadcast(storedShape, values[i]!.shape);
  const value = g.op(op, values, storedShape, type, attributes, domain);
  if (storedShape.length < shape.length) return arr(padRank(g, value, shape.length), shape, perm);
  return arr(value, shape, perm);
}

/** Sees the same numbers under another shape. */
export function reshape(g: Graph, a: Arr, shape: readonly number[]): Arr {
  if (sameShape(a.shape, shape)) return a;
  if (sizeOf(a.value.shape) === 1) return arr(reshapeValue(g, a.value, new Array(shape.length).fill(1)), shape);
  if (a.perm === null || sizeOf(a.value.shape) === sizeOf(a.shape)) {
    const partial = reshapeBroadcast(a, shape);
    if (partial) return arr(reshapeValue(g, plain(g, a), partial), shape);
  }
  return arr(reshapeValue(g, full(g, a), shape));
}

/** The stored shape after a reshape that only adds or drops axes of length one, or null when axes merge or split. */
function reshapeBroadcast(a: Arr, shape: readonly number[]): number[] | null {
  if (sizeOf(a.value.shape) === sizeOf(a.shape)) return [...shape];
  const from = a.shape.flatMap((dim, i) => (dim === 1 ? [] : [[dim, a.value.shape[i]!] as const]));
  const to = shape.filter((dim) => dim !== 1);
  if (
    !sameShape(
      from.map(([dim]) => dim),
      to,
    )
  )
    return null;
  let next = 0;
  return shape.map((dim) => (dim === 1 ? 1 : from[next++]![1]));
}

/** Products of matrices in a batch, either operand transposed. */
export function batchedProduct(
  g: Graph,
  a: Value,
  b: Value,
  shape: readonly number[],
  transA: boolean,
  transB: boolean,
): Value {
  const { type } = a;
  if (!transA && !transB) return g.op("MatMul", [a, b], shape, type);
  if (target.provider === "cpu") {
    const attributes = { transA: Number(transA), transB: Number(transB) };
    return g.op("FusedMatMul", [a, b], shape, type, attributes, "com.microsoft");
  }
  const turned = (v: Value, by: boolean): Value => {
    if (!by) return v;
    const rank = v.shape.length;
    return transposeValue(g, v, [...v.shape.keys()].slice(0, -2).concat(rank - 1, rank - 2));
  };
  return g.op("MatMul", [turned(a, transA), turned(b, transB)], shape, type);
}

/** The elements at some places of a stored axis. */
export function pick(g: Graph, v: Value, axis: number, places: readonly number[]): Value {
  const shape = v.shape.map((dim, i) => (i === axis ? places.length : dim));
  return g.op("Gather", [v, g.int64(places)], shape, v.type, { axis });
}

/** Products whose kernel is two factors, in a network's tree: where they are, and what each rank is worth. */
import { tf } from "../../engine/index.ts";
import { singular } from "../../engine/linear-algebra.ts";
import type { Params } from "../model.ts";
import { isFactored } from "./product.ts";

/** Two factors `[inputs, rank]` and `[rank, units]` at a path of the model's tree: "2-structured", "3-transformer/up". */
export interface Factors {
  readonly path: string;
  readonly first: tf.Tensor2D;
  readonly second: tf.Tensor2D;
}

/** All products of two factors in a tree, in its order. */
export function factorsIn(tree: Params, path = ""): Factors[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    if (node instanceof tf.Tensor) return [];
    const at = path === "" ? name : `${path}/${name}`;
    if (!isFactored(node)) return factorsIn(node, at);
    const [first, second] = [node.first, node.second].map((side) => (side as Params).kernel as tf.Tensor2D | undefined);
    return first === undefined || second === undefined ? [] : [{ path: at, first, second }];
  });
}

/**
 * What a kernel `[inputs, units]` is at its first `rank` singular values, as two factors that have the roots of these each. A rank that the kernel lacks
 * is zeros.
 */
export function factorsOf(
  kernel: tf.Tensor2D,
  rank: number,
): { readonly first: tf.Tensor2D; readonly second: tf.Tensor2D } {
  const [inputs, units] = kernel.shape;
  const { values, left, right } = singular(kernel.dataSync() as Float32Array, inputs, units);
  const root = (k: number): number => Math.sqrt(values[k] ?? 0);
  const first = Float32Array.from({ length: inputs * rank }, (_, at) => {
    const k = at % rank;
    return root(k) * (left[k]?.[Math.floor(at / rank)] ?? 0);
  });
  const second = Float32Array.from({ length: rank * units }, (_, at) => {
    const k = Math.floor(at / units);
    return root(k) * (right[k]?.[at % units] ?? 0);
  });
  return { first: tf.tensor2d(first, [inputs, rank]), second: tf.tensor2d(second, [rank, units]) };
}

/**
 * *Traced.* `[rank]` twice: the lengths of each column of the first factor and each row of the second; with `nested` of it and all after it, so that a rank
 * counts for nothing where those after it do.
 */
export function rankLengths(
  { first, second }: Pick<Factors, "first" | "second">,
  nested: boolean,
): readonly [tf.Tensor, tf.Tensor] {
  return [tf.sum(tf.square(first), 0), tf.sum(tf.square(second), 1)].map((squares) =>
    tf.sqrt(tf.add(nested ? tf.reverse(tf.cumsum(tf.reverse(squares as tf.Tensor1D)) as tf.Tensor1D) : squares, 1e-12)),
  ) as [tf.Tensor, tf.Tensor];
}

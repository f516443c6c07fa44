/** Second moments of what passes through a layer, and inverses of matrices as products alone. */
import { tf } from "../../engine/index.ts";
import type { LayerSeen } from "../optimizer.ts";

/**
 * The second moments of a layer's inputs, with a 1 for the bias where there is one, and of each row's own gradient at its outputs. What a
 * step shows are the gradients of a mean over the rows, so each is multiplied by their number.
 */
export function factorOf(
  passes: readonly LayerSeen[],
  biased: boolean,
): { readonly inputs: tf.Tensor2D; readonly outputs: tf.Tensor2D } {
  const rowsOf = (of: tf.Tensor): tf.Tensor2D => tf.reshape(of, [of.size / of.shape.at(-1)!, of.shape.at(-1)!]);
  const joined = (all: readonly tf.Tensor2D[]): tf.Tensor2D => (all.length === 1 ? all[0]! : tf.concat([...all], 0));
  const x = joined(passes.map(({ input }) => rowsOf(input)));
  const count = x.shape[0];
  const a = biased ? (tf.concat([x, tf.ones([count, 1])], 1) as tf.Tensor2D) : x;
  const g = joined(passes.map(({ gradient }) => rowsOf(gradient)));
  return {
    inputs: tf.div(tf.matMul(a, a, true, false), count),
    outputs: tf.mul(tf.matMul(g, g, true, false), count),
  };
}

/**
 * The inverse of a symmetric positive matrix with something added on its diagonal, by rounds of Newton's iteration `X ← X (2 − A X)` from
 * the inverse of the step before, or from a small multiple of one where that is too far.
 *
 * Each round squares what is left of `1 − A X`. Pan and Schreiber 1991, "An improved Newton iteration for the generalized inverse of a matrix".
 */
export function refined(matrix: tf.Tensor, added: tf.Tensor, before: tf.Tensor, rounds: number): tf.Tensor {
  const one = tf.eye(matrix.shape[0]!);
  const a = tf.add(matrix, tf.mul(one, added)) as tf.Tensor2D;
  // for a symmetric matrix the greatest sum of a row bounds every eigenvalue
  const small = tf.div(one, tf.max(tf.sum(tf.abs(a), 1)));
  const left = tf.norm(tf.sub(one, tf.matMul(a, before as tf.Tensor2D)));
  let x = tf.where(tf.less(left, 0.9), before, small) as tf.Tensor2D;
  for (let round = 0; round < rounds; round++) x = tf.sub(tf.mul(x, 2), tf.matMul(tf.matMul(x, a), x));
  return x;
}

/** Small systems of equations as part of a compiled step. */
import { tf } from "../../engine/index.ts";

/**
 * Solves `A x = b` for a symmetric positive `A` `[n, n]` and `b` `[n, m]` by elimination, written out: for a handful of equations.
 *
 * A positive matrix needs no pivots.
 */
export function solved(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  const n = a.shape[0];
  const width = n + b.shape[1];
  const row = (of: tf.Tensor, at: number): tf.Tensor => tf.slice(of, [at, 0], [1, width]);
  const whole = tf.concat([a, b], 1);
  const rows = Array.from({ length: n }, (_, i) => row(whole, i));
  for (let k = 0; k < n; k++) {
    const pivot = tf.slice(rows[k]!, [0, k], [1, 1]);
    rows[k] = tf.div(rows[k]!, tf.maximum(pivot, 1e-30));
    for (let i = 0; i < n; i++)
      if (i !== k) rows[i] = tf.sub(rows[i]!, tf.mul(rows[k]!, tf.slice(rows[i]!, [0, k], [1, 1])));
  }
  return tf.slice(tf.concat(rows, 0), [0, n], [n, b.shape[1]]) as tf.Tensor2D;
}

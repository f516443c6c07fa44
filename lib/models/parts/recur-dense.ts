/** A linear system with a whole matrix for each channel, place by place. */
import { tf } from "../../engine/index.ts";

/**
 * `xₜ = Ā xₜ₋₁ + B̄ uₜ`, `yₜ = C xₜ` for a few places of `x`, `[n, places, channels]`, from states `[n, channels, states]`, and the states after. `a` is `[channels, states,
 * states]`, `b` and `c` `[channels, states]`; before a place where `keep` is 0 the states are 0.
 */
export function recurDense(
  x: tf.Tensor,
  a: tf.Tensor,
  b: tf.Tensor,
  c: tf.Tensor,
  first: tf.Tensor | null,
  keep: tf.Tensor,
): readonly [tf.Tensor, tf.Tensor] {
  const [n, length, channels] = x.shape as [number, number, number];
  let state = first ?? tf.zeros([n, ...b.shape]);
  const all = Array.from({ length }, (_, t) => {
    const goes = tf.reshape(tf.slice(keep, [0, t], [n, 1]), [n, 1, 1]);
    const had = tf.transpose(tf.mul(state, goes), [1, 0, 2]);
    const moved = tf.transpose(tf.matMul(had, a, false, true), [1, 0, 2]);
    const u = tf.reshape(tf.slice(x, [0, t, 0], [n, 1, channels]), [n, channels, 1]);
    state = tf.add(moved, tf.mul(u, b));
    return tf.sum(tf.mul(state, c), 2);
  });
  return [tf.stack(all, 1), state];
}

/** A linear system with a whole matrix for each channel, place by place. */
import { tf } from "../../engine/index.ts";
import { goOn } from "./recurrence.ts";

/**
 * `xₜ = Ā xₜ₋₁ + B̄ uₜ`, `yₜ = C xₜ` for the places of `x`, `[n, places, channels]`, from states `[n, channels, states]`, and the states after. `a` is `[channels, states, states]`, `b`
 * and `c` `[channels, states]`; before a place where `keep` is 0 the states are 0.
 */
export function recurDense(
  x: tf.Tensor,
  a: tf.Tensor,
  b: tf.Tensor,
  c: tf.Tensor,
  first: tf.Tensor | null,
  keep: tf.Tensor,
): readonly [tf.Tensor, tf.Tensor] {
  const [y, [after]] = goOn(
    ([had], u, own) => {
      const { a, b, c } = own as Record<"a" | "b" | "c", tf.Tensor>;
      const moved = tf.transpose(tf.matMul(tf.transpose(had!, [1, 0, 2]), a, false, true), [1, 0, 2]);
      const state = tf.add(moved, tf.mul(tf.expandDims(u, 2), b));
      return [tf.sum(tf.mul(state, c), 2), [state]];
    },
    [first ?? tf.zeros([x.shape[0]!, ...b.shape])],
    x,
    { a, b, c },
    keep,
  );
  return [y, after!];
}

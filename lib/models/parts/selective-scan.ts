/** The recurrence of selective state spaces. */
import { linearScan, tf } from "../../engine/index.ts";
import { keepFor, lastPlace } from "./state-space.ts";

/** What the places choose: `u` and `step` are `[n, length, channels]`, `b` and `c` `[n, length, state]`, `a` is `[channels, state]`, below 0. */
export interface Selected {
  readonly u: tf.Tensor;
  readonly step: tf.Tensor;
  readonly a: tf.Tensor;
  readonly b: tf.Tensor;
  readonly c: tf.Tensor;
}

/** `h ← exp(Δ a) h + Δ b u`, `y = Σ c h` from a first state `[n, channels, state]` on, 0 before places where `keep`, `[n, length]`, is; and the last state. */
export function selectiveScan(
  { u, step, a, b, c }: Selected,
  first: tf.Tensor | null,
  keep: tf.Tensor | null,
): readonly [tf.Tensor, tf.Tensor] {
  const decay = tf.exp(tf.mul(tf.expandDims(step, 3), a));
  const enters = tf.mul(tf.expandDims(tf.mul(step, u), 3), tf.expandDims(b, 2));
  const states = linearScan(keep ? tf.mul(decay, keepFor(keep, 4)) : decay, enters, first);
  const y = tf.squeeze(tf.matMul(states, tf.expandDims(c, 3)), [3]);
  return [y, lastPlace(states)];
}

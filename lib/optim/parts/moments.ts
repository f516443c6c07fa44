/** Running moments of gradients, leaf by leaf. */
import { mapTensors, type Tree, tf } from "../../engine/index.ts";

/** `keep · old + (1 − keep) · now`. */
export function blended(old: Tree, now: Tree, keep: number): Tree {
  return mapTensors((a, b) => tf.add(tf.mul(a, keep), tf.mul(b!, 1 - keep)), old, now);
}

/** The running mean square: `keep · old + (1 − keep) · g²`. */
export function squared(old: Tree, grads: Tree, keep: number): Tree {
  return mapTensors((a, g) => tf.add(tf.mul(a, keep), tf.mul(tf.square(g!), 1 - keep)), old, grads);
}

/** A pull to 0 that is decoupled from moments, added to steps: `u − rate · by · w`; the steps themselves where it is 0. */
export function pulled(updates: Tree, params: Tree, rate: tf.Tensor, by: number): Tree {
  if (by === 0) return updates;
  const down = tf.mul(rate, -by);
  return mapTensors((u, w) => tf.add(u, tf.mul(w!, down)), updates, params);
}

/** `1 − keep^t` from that of the step before: what a running mean that began at 0 lacks of 1, without the difference of two near numbers. */
export function remaining(left: tf.Tensor, keep: number): tf.Tensor {
  return tf.add(tf.mul(left, keep), 1 - keep);
}

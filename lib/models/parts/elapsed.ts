/** Sequences in irregular time. */
import { tf } from "../../engine/index.ts";

/** The vectors at the places of a sequence, and the time since the place before, `[n, length, 1]`: their last number, or else 1. */
export function elapsed(x: tf.Tensor, times: boolean): { readonly values: tf.Tensor; readonly time: tf.Tensor } {
  const [n, length, width] = x.shape as [number, number, number];
  if (!times) return { values: x, time: tf.ones([n, length, 1]) };
  const [values, time] = tf.split(x, [width - 1, 1], 2) as [tf.Tensor, tf.Tensor];
  return { values, time };
}

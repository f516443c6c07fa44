import { tf } from "../../engine/index.ts";

/** `[n, heads, places, d]` of `[n, places, heads · d]`. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [n, places, units] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [n, places, heads, units / heads]), [0, 2, 1, 3]);
}

/** `[n, places, heads · d]` of `[n, heads, places, d]`. */
export function joinHeads(x: tf.Tensor): tf.Tensor {
  const [n, heads, places, d] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [n, places, heads * d]);
}

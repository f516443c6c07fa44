/** Pictures of squares in place of pixels, and back. */
import { tf } from "../../engine/index.ts";

/** *Traced.* The mean of each square of `side` pixels: `[n, height / side, width / side, channels]`. */
export function meansOf(x: tf.Tensor, side: number): tf.Tensor {
  return tf.avgPool(x as tf.Tensor4D, side, side, "valid");
}

/** *Traced.* Each pixel `side` times down and across. */
export function repeatedBy(x: tf.Tensor, side: number): tf.Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  const spread = tf.mul(tf.reshape(x, [n, height, 1, width, 1, channels]), tf.ones([1, 1, side, 1, side, 1]));
  return tf.reshape(spread, [n, side * height, side * width, channels]);
}

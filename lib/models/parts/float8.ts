import { tf } from "../../engine/index.ts";

/** The nearest numbers of 4 bits of exponent and 3 of mantissa, at most 448 in size. */
export function float8(x: tf.Tensor): tf.Tensor {
  const size = tf.minimum(tf.abs(x), 448);
  const exponent = tf.maximum(tf.floor(tf.div(tf.log(tf.maximum(size, 1e-30)), Math.LN2)), -6);
  const step = tf.pow(2, tf.sub(exponent, 3));
  return tf.mul(tf.sign(x), tf.mul(tf.round(tf.div(size, step)), step));
}

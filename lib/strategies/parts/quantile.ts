/** Thresholds that keep a share of some numbers, found without sorting. */
import { tf } from "../../engine/index.ts";

/**
 * *Traced.* 1 for the `share` (a scalar tensor in [0, 1]) of the counted numbers that are largest, 0 for the rest. `counted` is 1 for the
 * numbers that take part. Found by `rounds` halvings of the range, so ties and a part of 2^−rounds of the range may fall either way.
 */
export function largestShare(numbers: tf.Tensor, counted: tf.Tensor, share: tf.Tensor, rounds = 24): tf.Tensor {
  const bound = largestBound(numbers, counted, share, rounds);
  return tf.mul(tf.cast(tf.greater(numbers, bound), "float32"), counted);
}

/** *Traced.* The number above which the `share` of the counted numbers that are largest lies: a scalar. */
export function largestBound(numbers: tf.Tensor, counted: tf.Tensor, share: tf.Tensor, rounds = 24): tf.Tensor {
  const wanted = tf.mul(tf.sum(counted), share);
  let low: tf.Tensor = tf.sub(tf.min(numbers), 1e-6);
  let high: tf.Tensor = tf.max(numbers);
  for (let round = 0; round < rounds; round++) {
    const middle = tf.div(tf.add(low, high), 2);
    const above = tf.sum(tf.mul(tf.cast(tf.greater(numbers, middle), "float32"), counted));
    const tooMany = tf.cast(tf.greater(above, wanted), "float32");
    low = tf.add(tf.mul(middle, tooMany), tf.mul(low, tf.sub(1, tooMany)));
    high = tf.add(tf.mul(high, tooMany), tf.mul(middle, tf.sub(1, tooMany)));
  }
  return high;
}

export { straightThrough } from "../../models/parts/gradients.ts";

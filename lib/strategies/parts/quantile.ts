/** Thresholds that keep a share of some numbers. */
import { tf } from "../../engine/index.ts";

/**
 * *Traced.* 1 for the `share` (a scalar tensor in [0, 1]) of the counted numbers that are largest, 0 for the rest. `counted` is 1 for the
 * numbers that take part. Found by `rounds` halvings of the range, so ties and a part of 2^−rounds of the range may fall either way.
 */
export function largestShare(numbers: tf.Tensor, counted: tf.Tensor, share: tf.Tensor, rounds = 24): tf.Tensor {
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
  return tf.mul(tf.cast(tf.greater(numbers, high), "float32"), counted);
}

/** *Traced.* The number above which the `count` (a scalar tensor, rounded) largest of some numbers of at least 0 lie, found by sorting: exact but for ties. */
export function boundOf(numbers: tf.Tensor, count: tf.Tensor): tf.Tensor {
  const sorted = tf.topk(tf.reshape(numbers, [-1]), numbers.size).values;
  const ended = tf.concat([sorted, tf.tensor1d([-1])]);
  const at = tf.clipByValue(tf.round(count), 0, numbers.size);
  return tf.reshape(tf.gather(ended, tf.reshape(tf.cast(at, "int32"), [1])), []);
}

export { straightThrough } from "../../models/parts/gradients.ts";

/** Rates of layers by the lengths of their weights and gradients. */
import { tf } from "../../engine/index.ts";

/**
 * The gradient of a matrix, decay included, at the rate of its layer: `trust · ‖w‖ / (‖g‖ + weightDecay · ‖w‖) · (g + weightDecay · w)`. A vector's
 * gradient is left as it is, and so is a matrix whose length is not known.
 */
export function layerwise(g: tf.Tensor, w: tf.Tensor, trust: number | tf.Tensor, weightDecay: number): tf.Tensor {
  if (w.rank < 2) return g;
  const [length, size] = [tf.norm(w), tf.norm(g)];
  const whole = tf.add(size, tf.mul(length, weightDecay));
  const ratio = tf.div(tf.mul(length, trust), tf.maximum(whole, 1e-30));
  const known = tf.logicalAnd(tf.greater(length, 0), tf.greater(whole, 0));
  return tf.mul(tf.add(g, tf.mul(w, weightDecay)), tf.where(known, ratio, tf.onesLike(ratio)));
}

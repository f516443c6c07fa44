import { tf } from "../../engine/index.ts";

/**
 * `x` and of `change` what is at right angles to it, at each place: `x + f − x ⟨x, f⟩ / (⟨x, x⟩ + ε)`, products over the last axis.
 *
 * Where `whole`, x is one vector for each example.
 *
 * Oh et al. 2025, "Revisiting residual connections: orthogonal updates for stable and efficient deep networks", arXiv:2505.11881, equation 3.
 */
export function addOrthogonal(x: tf.Tensor, change: tf.Tensor, whole = false, epsilon = 1e-6): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis).slice(whole ? 1 : -1);
  const along = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, b), axes, true);
  const share = tf.div(along(x, change), tf.add(along(x, x), epsilon));
  return tf.add(x, tf.sub(change, tf.mul(share, x)));
}

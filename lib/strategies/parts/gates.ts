/** Gates over units that are trained like weights: a sigmoid that gets sharper during each epoch, until it is open or shut. */
import { type Tree, tf } from "../../engine/index.ts";

/** *Traced.* `sigmoid(sharpness · embedding)`. */
export function gate(embedding: tf.Tensor, sharpness: tf.Tensor | number): tf.Tensor {
  return tf.sigmoid(tf.mul(embedding, sharpness));
}

/** The sharpness of the step `at` of an epoch of `steps`: from `1 / sharpest` to `sharpest` in a straight line. */
export function sharpnessAt(at: number, steps: number, sharpest: number): number {
  return 1 / sharpest + ((sharpest - 1 / sharpest) * at) / Math.max(1, steps - 1);
}

/**
 * *Traced.* The gradient of an embedding as if its sigmoid were that of sharpness 1, times `sharpest / sharpness`: a sharp gate would not
 * move otherwise (Serrà et al. 2018, eq. 5).
 */
export function compensated(
  gradient: tf.Tensor,
  embedding: tf.Tensor,
  sharpness: tf.Tensor,
  sharpest: number,
): tf.Tensor {
  const bent = tf.clipByValue(tf.mul(embedding, sharpness), -50, 50);
  const factor = tf.div(tf.add(tf.cosh(bent), 1), tf.add(tf.cosh(embedding), 1));
  return tf.mul(tf.mul(gradient, factor), tf.div(sharpest, sharpness));
}

/** What steps change where gates are trained: the sharpness of the next step. A type, so that it is a tree of tensors. */
export type Sharpness = { readonly sharpness: tf.Tensor };

/** Sharpness at the start of an epoch. */
export const blunt = (sharpest: number): Sharpness => ({ sharpness: tf.scalar(1 / sharpest) });

/** *Traced.* The sharpness that the batch brought for the next step. */
export const sharpened = (next: tf.Tensor): Tree => ({ sharpness: tf.maximum(next, 1e-9) });

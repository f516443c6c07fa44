/** Losses that compare examples with each other. */
import { tf } from "../../engine/index.ts";

/** `[n, columns]`: the columns of rows as 0 and 1. */
export function oneHots(y: tf.Tensor, columns: number): tf.Tensor {
  return tf.cast(tf.equal(tf.expandDims(tf.cast(y, "float32"), 1), tf.range(0, columns)), "float32");
}

/** `[n, m]`: 1 where row i of the first and row j of the second have the same column. */
export function sameColumn(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.cast(tf.equal(tf.expandDims(a, 1), tf.expandDims(b, 0)), "float32");
}

/** `[1, columns]`: 1 for the columns that some row has. */
export function present(y: tf.Tensor, columns: number): tf.Tensor {
  return tf.minimum(tf.sum(oneHots(y, columns), 0, true), 1);
}

/**
 * The supervised contrastive loss of unit vectors (Khosla et al. 2020, eq. 2): for each row the mean over other rows of its class of
 * `−log exp(v·p/T) / Σ_{a≠v} exp(v·a/T)`; rows without another of their class count nothing.
 */
export function supervisedContrast(vectors: tf.Tensor, y: tf.Tensor, temperature: number): tf.Scalar {
  const n = vectors.shape[0]!;
  const near = tf.div(tf.matMul(vectors as tf.Tensor2D, vectors as tf.Tensor2D, false, true), temperature);
  const others = tf.sub(1, tf.eye(n));
  const shifted = tf.sub(near, 1 / temperature);
  const all = tf.log(tf.add(tf.sum(tf.mul(tf.exp(shifted), others), 1, true), 1e-12));
  const positive = tf.mul(sameColumn(y, y), others);
  const counts = tf.sum(positive, 1);
  const each = tf.div(tf.sum(tf.mul(tf.sub(all, shifted), positive), 1), tf.maximum(counts, 1));
  const counted = tf.cast(tf.greater(counts, 0), "float32");
  return tf.div(tf.sum(tf.mul(each, counted)), tf.maximum(tf.sum(counted), 1)) as tf.Scalar;
}

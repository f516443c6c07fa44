/** Losses that compare examples with each other. */
import { tf } from "../../engine/index.ts";

/** `[n, columns]`, or `[n, places, columns]`: the columns of rows or places as 0 and 1. */
export function oneHots(y: tf.Tensor, columns: number): tf.Tensor {
  return tf.cast(tf.equal(tf.expandDims(tf.cast(y, "float32"), -1), tf.range(0, columns)), "float32");
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
 * The mean over anchors of `mean_p −log e^{near_p} / Σ_a e^{near_a}` over their positives p and all they are compared with a; anchors
 * without a positive do not count. `near` are the similarities of anchors (rows) and others, at most 0; the two masks are 0 and 1.
 */
export function contrasted(near: tf.Tensor, positives: tf.Tensor, compared: tf.Tensor): tf.Scalar {
  const all = tf.log(tf.add(tf.sum(tf.mul(tf.exp(near), compared), 1, true), 1e-12));
  const counts = tf.sum(positives, 1);
  const each = tf.div(tf.sum(tf.mul(tf.sub(all, near), positives), 1), tf.maximum(counts, 1));
  const counted = tf.cast(tf.greater(counts, 0), "float32");
  return tf.div(tf.sum(tf.mul(each, counted)), tf.maximum(tf.sum(counted), 1)) as tf.Scalar;
}

/**
 * The supervised contrastive loss of unit vectors (Khosla et al. 2020, eq. 2): for each row the mean over other rows of its class of
 * `−log exp(v·p/T) / Σ_{a≠v} exp(v·a/T)`; rows without another of their class count nothing.
 */
export function supervisedContrast(vectors: tf.Tensor, y: tf.Tensor, temperature: number): tf.Scalar {
  const near = tf.div(tf.sub(tf.matMul(vectors as tf.Tensor2D, vectors as tf.Tensor2D, false, true), 1), temperature);
  const others = tf.sub(1, tf.eye(vectors.shape[0]!));
  return contrasted(near, tf.mul(sameColumn(y, y), others), others);
}

import { tf } from "../../engine/index.ts";

/**
 * What is added to scores for positions that come of the context: how many places back a key counts as is the sum of how unlike its query and the keys from there
 * to the query's own place are, `p_ij = Σ_{k = j … i} (1 − σ(s_ik))`, at most `M − 1`, and what is added is `q_i · e[p_ij]`, between whole numbers in
 * proportion.
 *
 * `query` is `[n, heads, length, d]`, `scores` and `seen` (1 where a place sees a key) are `[n, heads, length, keys]`, `places` is `[d, M]`.
 *
 * Implements: P194 CAPE
 * Yuan, Cai and Dong 2025, arXiv:2502.09027, section 3, and the authors' program: gates of unlikeness, interpolated vectors that begin as 0.
 * Differs from the paper: `attention` has it as `positions: "cape"` for any causal model; the recommenders around it are not here.
 */
export function contextBias(query: tf.Tensor, scores: tf.Tensor, seen: tf.Tensor, places: tf.Tensor): tf.Tensor {
  const [n, heads, length, keys] = scores.shape as [number, number, number, number];
  const [d, most] = places.shape as [number, number];
  const unlike = tf.mul(tf.sub(1, tf.sigmoid(scores)), seen);
  // the sum from each key on, as a product with ones below the diagonal
  const from = tf.tensor2d(
    Float32Array.from({ length: keys * keys }, (_, i) => (Math.floor(i / keys) >= i % keys ? 1 : 0)),
    [keys, keys],
  );
  const back = tf.minimum(tf.matMul(tf.reshape(unlike, [n * heads * length, keys]), from), most - 1);
  const each = tf.matMul(tf.reshape(query, [n * heads * length, d]), places as tf.Tensor2D);
  // between two whole numbers each has its share, all others none
  const apart = tf.sub(tf.reshape(back, [n * heads * length, keys, 1]), tf.range(0, most));
  const shares = tf.relu(tf.sub(1, tf.abs(apart)));
  return tf.reshape(tf.sum(tf.mul(shares, tf.expandDims(each, 1)), 2), scores.shape);
}

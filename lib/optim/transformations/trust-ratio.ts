import { mapTensors, tf } from "../../engine/index.ts";
import { transformation } from "../transformation.ts";

/**
 * Scales the direction of every tensor to the length of the tensor itself: `u · by · ‖w‖ / ‖u‖`; a tensor or direction that is 0 is left as it is.
 *
 * The layerwise adaptation of LARS and LAMB: You, Gitman and Ginsburg 2017, arXiv:1708.03888, section 4; You et al. 2020, arXiv:1904.00962,
 * algorithm 2.
 *
 * @example
 * ```ts
 * import { adam, chain, clip, trustRatio } from "thalweg";
 * chain(clip(1), adam(), trustRatio());
 * ```
 */
export const trustRatio = transformation("trustRatio", { by: 1 }, "by", ({ by }) => {
  if (!(by > 0 && Number.isFinite(by))) throw new RangeError(`trustRatio: a number above 0 is required, got ${by}`);
  return (direction, params) => mapTensors((u, w) => tf.mul(u, trustOf(w!, u, by)), direction, params);
});

/** `by · ‖w‖ / ‖u‖`, and 1 where either is 0; lengths of w above `bound`, if it is not 0, count as that. */
export function trustOf(w: tf.Tensor, u: tf.Tensor, by = 1, bound = 0): tf.Tensor {
  const [length, step] = [tf.norm(w), tf.norm(u)];
  const own = bound === 0 ? length : tf.minimum(length, bound);
  const ratio = tf.div(tf.mul(own, by), tf.maximum(step, 1e-30));
  return tf.where(tf.logicalAnd(tf.greater(own, 0), tf.greater(step, 0)), ratio, tf.onesLike(ratio));
}

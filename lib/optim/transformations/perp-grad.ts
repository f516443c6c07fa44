import { mapTensors, tf } from "../../engine/index.ts";
import { transformation } from "../transformation.ts";

/**
 * Takes from the direction of every tensor what points along the tensor itself: `g − (w · g / w · w) w`, brought back to the length of g unless
 * `scaled` is false. Nothing makes the weights longer then, so that a softmax does not become certain by their growth alone.
 *
 * Implements: P411 Grokking at Edge of Stability
 *
 * Prieto et al. 2025, "Grokking at the edge of numerical stability", arXiv:2501.04697, section 5 and its program, which keeps the length;
 * `stableMax` is the other half of the paper.
 *
 * @example
 * ```ts
 * import { adam, chain, perpGrad } from "thalweg";
 * chain(perpGrad(), adam({ lr: 0.001 })).rate; // 0.001
 * ```
 */
export const perpGrad = transformation(
  "perpGrad",
  {
    /** Added to squared lengths and lengths. */
    epsilon: 1e-30,
    /** Whether what is left has the length of the whole. */
    scaled: true,
  },
  "epsilon",
  ({ epsilon, scaled }) => {
    if (!(epsilon > 0)) throw new RangeError(`perpGrad: an epsilon above 0 is required, got ${epsilon}`);
    const across = (g: tf.Tensor, w: tf.Tensor): tf.Tensor => {
      const share = tf.div(tf.sum(tf.mul(w, g)), tf.add(tf.sum(tf.square(w)), epsilon));
      const left = tf.sub(g, tf.mul(w, share));
      return scaled ? tf.mul(left, tf.div(tf.norm(g), tf.add(tf.norm(left), epsilon))) : left;
    };
    return (direction, params) => mapTensors((g, w) => across(g, w!), direction, params);
  },
);

import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { blended, squared } from "../parts/moments.ts";
import { trustOf } from "../transformations/trust-ratio.ts";

/**
 * LAMB: Adam's direction with decoupled decay, scaled for every tensor to the length of the tensor: `w ← w − lr · φ(‖w‖) / ‖u‖ · u` with
 * `u = m̂ / (√v̂ + epsilon) + weightDecay · w`, for large batches.
 *
 * `chain(adam(), weightDecay(0.01), trustRatio())` is the same. φ is the length, up to `bound`. As in the paper's algorithm 2 moments are corrected
 * for their beginning at 0; its first program did not (`correct: false`).
 *
 * You et al. 2020, "Large batch optimization for deep learning: training BERT in 76 minutes", arXiv:1904.00962, algorithm 2.
 *
 * Implements: P058 LAMB
 *
 * @example
 * ```ts
 * import { lamb } from "thalweg";
 * lamb({ lr: 0.01, weightDecay: 0.01 });
 * ```
 */
export const lamb = optimizer(
  "lamb",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-6,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
    /** Whether moments are corrected for their beginning at 0. */
    correct: true,
    /** The greatest length of a tensor that counts; 0 for any. */
    bound: 0,
  },
  ({ beta1, beta2, epsilon, weightDecay, correct, bound }) => ({
    init: (params): Tree => ({
      mean: zeros(params),
      square: zeros(params),
      power1: tf.scalar(1),
      power2: tf.scalar(1),
    }),
    update(grads, state, params, rate) {
      const had = state as Record<"mean" | "square", Tree> & Record<"power1" | "power2", tf.Tensor>;
      const [mean, square] = [blended(had.mean, grads, beta1), squared(had.square, grads, beta2)];
      const [power1, power2] = [tf.mul(had.power1, beta1), tf.mul(had.power2, beta2)];
      const hat = (of: tf.Tensor, power: tf.Tensor): tf.Tensor => (correct ? tf.div(of, tf.sub(1, power)) : of);
      const down = tf.neg(rate);
      const updates = mapTensors(
        (m, v, w) => {
          const adapted = tf.div(hat(m, power1), tf.add(tf.sqrt(hat(v!, power2)), epsilon));
          const u = tf.add(adapted, tf.mul(w!, weightDecay));
          return tf.mul(tf.mul(u, trustOf(w!, u, 1, bound)), down);
        },
        mean,
        square,
        params,
      );
      return [updates, { mean, square, power1, power2 }];
    },
  }),
);

import { mapTensors, tf } from "../../engine/index.ts";
import { optimizer, zeros } from "../optimizer.ts";
import { blended, pulled } from "../parts/moments.ts";

/**
 * Lion: every weight moves by the same step, in the direction of the sign of momentum and gradient mixed: `sign(β₁ m + (1 − β₁) g)`, then
 * `m ← β₂ m + (1 − β₂) g`. Weight decay is decoupled.
 *
 * Chen et al. 2023, "Symbolic discovery of optimization algorithms", arXiv:2302.06675, algorithm 2. Its rate is three to ten times smaller
 * than Adam's, its decay as much larger.
 *
 * @example
 * ```ts
 * import { lion } from "thalweg";
 * lion({ lr: 1e-4, weightDecay: 0.1 });
 * ```
 */
export const lion = optimizer(
  "lion",
  {
    /** Learning rate. */
    lr: 1e-4,
    /** Share of the momentum in the direction of a step. */
    beta1: 0.9,
    /** Share of the momentum that is kept. */
    beta2: 0.99,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, weightDecay }) => ({
    init: (params) => zeros(params),
    update(grads, state, params, rate) {
      const down = tf.neg(rate);
      const updates = mapTensors((m) => tf.mul(tf.sign(m), down), blended(state, grads, beta1));
      return [pulled(updates, params, rate, weightDecay), blended(state, grads, beta2)];
    },
  }),
);

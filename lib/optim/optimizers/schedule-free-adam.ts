import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";
import { remaining, squared } from "../parts/moments.ts";
import { averageOf, type Free, freeFrom, freely, needMomentum } from "../parts/schedule-free.ts";

/**
 * Adam without a schedule: gradients are taken between the last point and the average of all points, each number over the root of its mean
 * square, and the average predicts.
 *
 * As `scheduleFreeSgd`, with `z ← z − lr · (∇(y) / (√(v / (1 − β₂ᵗ)) + ε) + weightDecay · y)`; the average takes the place of the first moment.
 *
 * Defazio et al. 2024, "The road less scheduled", arXiv:2405.15682, algorithm 1 and section 4; the numbers are those of the authors'
 * AdamWScheduleFree.
 *
 * @example
 * ```ts
 * import { chain, clip, scheduleFreeAdam } from "thalweg";
 * chain(clip(1), scheduleFreeAdam({ lr: 0.0025 })).rate; // 0.0025
 * ```
 */
export const scheduleFreeAdam = optimizer(
  "scheduleFreeAdam",
  {
    /** Learning rate. */
    lr: 2.5e-3,
    /** Share of the average in the point where the gradient is taken, in (0, 1]. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, epsilon, weightDecay }) => {
    needMomentum("scheduleFreeAdam", beta1);
    return {
      last: true,
      init: (params) => ({ free: freeFrom(params), square: zeros(params), left: tf.scalar(0) }),
      update(grads, state, params, rate) {
        const had = state as { readonly free: Free; readonly square: Tree; readonly left: tf.Tensor };
        const square = squared(had.square, grads, beta2);
        const left = remaining(had.left, beta2);
        const scaled = mapTensors((g, v) => tf.div(g, tf.add(tf.sqrt(tf.div(v!, left)), epsilon)), grads, square);
        const direction = decayed(scaled, params, weightDecay);
        const [updates, free] = freely(had.free, direction, params, rate, beta1);
        return [updates, { free, square, left }];
      },
      shown: (params, state) => averageOf(params, (state as { readonly free: Free }).free, beta1),
    };
  },
);

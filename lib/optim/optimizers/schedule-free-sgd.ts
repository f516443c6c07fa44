import type { Tree } from "../../engine/index.ts";
import { decayed, optimizer } from "../optimizer.ts";
import { averageOf, type Free, freeFrom, freely, needMomentum } from "../parts/schedule-free.ts";

/**
 * Descent without a schedule: gradients are taken between the last point and the average of all points, and the average predicts. What a
 * falling rate would bring at the end is there at every step.
 *
 * `y = (1 − momentum) z + momentum x`, `z ← z − lr · ∇(y)`, and `x` is the mean of the `z` weighted by the square of the largest rate so far.
 * The weights that are trained are `y`; evaluations and the network of a run are of `x`. Running statistics are those of `y`. Rates are
 * larger than those of plain descent; a warm-up is wanted, a fall is not.
 *
 * Defazio et al. 2024, "The road less scheduled", arXiv:2405.15682, algorithm 1 and section 4; the numbers are those of the authors'
 * program, where weight decay is `weightDecay · y`.
 *
 * @example
 * ```ts
 * import { scheduleFreeSgd } from "thalweg";
 * scheduleFreeSgd({ lr: 1 }).shown !== undefined; // true
 * ```
 */
export const scheduleFreeSgd = optimizer(
  "scheduleFreeSgd",
  {
    /** Learning rate. */
    lr: 1,
    /** Share of the average in the point where the gradient is taken, in (0, 1]. */
    momentum: 0.9,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ momentum, weightDecay }) => {
    needMomentum("scheduleFreeSgd", momentum);
    return {
      last: true,
      init: (params) => freeFrom(params),
      update: (grads, state, params, rate) =>
        freely(state as Free, decayed(grads, params, weightDecay), params, rate, momentum) as readonly [Tree, Tree],
      shown: (params, state) => averageOf(params, state as Free, momentum),
    };
  },
);

import { cloneTree, mapTensors, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { grownLike } from "../parts/anchor.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: Weights;
}

/**
 * Momentum weight interpolation: a slow average of the weights predicts, the fast weights learn.
 *
 * After every step `slow ← tau · slow + (1 − tau) · θ`; columns of a head that grew begin in the average as they begin in the network.
 * Composes with any way of training. The average looks back over about `1/(1 − tau)` steps: a run that is not many times as long is
 * predicted by its beginning, which is right only for a pretrained network.
 *
 * Stojanovski, Roth and Akata 2022, arXiv:2211.03186, eq. 1 (MCIL).
 * Differs from the paper: any network, not only a pretrained zero-shot one; running statistics are those of the fast weights.
 *
 * Implements: P142 Momentum weight interpolation
 *
 * @example
 * ```ts
 * import { momentumInterpolation } from "thalweg";
 * momentumInterpolation({ tau: 0.99 });
 * ```
 */
export const momentumInterpolation = strategy(
  "momentumInterpolation",
  {
    /** Share of the slow weights that is kept at each step, in [0, 1]. */
    tau: 0.995,
  },
  ({ tau }) => {
    requireNumber("momentumInterpolation", "tau", tau, 0, 1);
    return {
      tokens: true,
      init: ({ weights }): Memory => ({ carried: cloneTree(weights) }),
      beforeExperience: ({ carried }: Memory, _experience, { weights }): Memory => ({
        carried: grownLike(carried, weights),
      }),
      update: ({ carried }, { after }) =>
        mapTensors((slow, now) => tf.add(tf.mul(slow, tau), tf.mul(now!, 1 - tau)), carried, after),
      rowwise: true,
      predict: ({ carried }: Partial<Memory>, given) =>
        carried === undefined ? given.logits : given.forward(given.x, { weights: carried }).logits,
    };
  },
);

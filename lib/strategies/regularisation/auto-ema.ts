import { cloneTree, mapTensors, scoped, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  /** The slow weights, and the gradient of the step before. */
  readonly carried: { readonly slow: Weights; readonly gradient: Weights };
}

/**
 * An average of the weights that decides by itself how fast it follows them; each experience leaves the average, and the next begins from it.
 *
 * After every step each tensor of the average moves by `α` of the way to the weights, `α = 2 (1 + ‖g‖) / (‖θ − θ*‖ ‖g − g′‖)` with θ* the
 * average, g the gradient, g′ that of the step before, and sums of absolute values for lengths: the rate at which, by the expansion of the
 * loss to second order, neither new nor old examples lose. Where that is not between 0 and 1 it is `otherwise`. The average begins anew with
 * each experience, at its weights.
 *
 * Qiao et al. 2025, "Large continual instruction assistant", arXiv:2410.10868, section 4; the program JingyangQiao/CoIN (`ema_update`).
 * Differs from the paper: it is for any weights that are trained, not the adapters of a language model alone; what is trained is not expanded
 * where a task is unlike those before, so that it is half of the method.
 *
 * @example
 * ```ts
 * import { autoEma } from "thalweg";
 * autoEma({ otherwise: 0.01 });
 * ```
 */
export const autoEma = strategy(
  "autoEma",
  {
    /** The share of the way where the rule gives none. */
    otherwise: 0.01,
  },
  ({ otherwise }) => {
    requireNumber("autoEma", "otherwise", otherwise, 0, 1);
    return {
      tokens: true,
      init: ({ weights }): Memory => begun(weights),
      beforeExperience: (_state: Memory, _experience, { weights }): Memory => begun(weights),
      update: ({ carried }, { after, gradient }) => ({
        slow: mapTensors(
          (slow, now, g, before) => {
            const length = (of: tf.Tensor): tf.Tensor => tf.sum(tf.abs(of));
            const apart = tf.mul(length(tf.sub(now!, slow)), length(tf.sub(g!, before!)));
            const rate = tf.div(tf.mul(tf.add(length(g!), 1), 2), tf.maximum(apart, 1e-30));
            const share = tf.where(tf.less(rate, 1), rate, tf.scalar(otherwise));
            return tf.add(slow, tf.mul(tf.sub(now!, slow), share));
          },
          carried.slow,
          after,
          gradient,
          carried.gradient,
        ),
        gradient: mapTensors((g: tf.Tensor) => g, gradient),
      }),
      afterExperience: ({ carried }: Memory) => ({ carried, weights: cloneTree(carried.slow), restart: true }),
    };
  },
  ["boundary"],
);

/** An average that begins at some weights, before any gradient. */
function begun(weights: Weights): Memory {
  return {
    carried: {
      slow: cloneTree(weights),
      gradient: scoped(() => mapTensors((w: tf.Tensor) => tf.zerosLike(w), weights)),
    },
  };
}

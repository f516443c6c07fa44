import { cloneTree, mapTensors, tf } from "../../engine/index.ts";
import { type Anchor, pull } from "../parts/anchor.ts";
import { requireNumber, strategy } from "../strategy.ts";

/**
 * Pulls all weights alike back to where the last experience left them.
 *
 * Adds `lambda · ‖θ − θ*‖²`, without a ½: elastic weight consolidation with every importance 1, the usual control for it.
 *
 * Hsu et al. 2018, arXiv:1810.12488 ("L2").
 *
 * @example
 * ```ts
 * import { l2Anchor } from "thalweg";
 * l2Anchor({ lambda: 0.1 });
 * ```
 */
export const l2Anchor = strategy(
  "l2Anchor",
  {
    /** Strength of the pull. */
    lambda: 0.1,
  },
  ({ lambda }) => {
    requireNumber("l2Anchor", "lambda", lambda, 0);
    return {
      tokens: true,
      role: "importance",
      init: () => ({ tensors: undefined }),
      beforeExperience: (_state, { index }, { weights }) => ({
        tensors:
          index === 0
            ? undefined
            : { importance: mapTensors((w) => tf.onesLike(w), weights), center: cloneTree(weights) },
      }),
      loss: ({ tensors }: { tensors: Anchor | undefined }, { weights }) =>
        tensors === undefined ? tf.scalar(0) : pull(tensors, weights, 2 * lambda),
    };
  },
  ["boundary"],
);

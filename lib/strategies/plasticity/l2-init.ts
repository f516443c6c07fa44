import { cloneTree, mapTensors, tf } from "../../engine/index.ts";
import { type Anchor, grownLike, pull } from "../parts/anchor.ts";
import { requireNumber, strategy } from "../strategy.ts";

/**
 * Pulls all weights back to where they began, so that the network stays able to learn.
 *
 * Adds `lambda · ‖θ − θ₀‖²`, without a ½, θ₀ being the weights at the start of the run; columns of a head that grew are pulled to what
 * they were when they came.
 *
 * Kumar, Marklund and Van Roy 2023, arXiv:2308.11958, eq. 1.
 *
 * @example
 * ```ts
 * import { l2Init } from "thalweg";
 * l2Init({ lambda: 1e-3 });
 * ```
 */
export const l2Init = strategy(
  "l2Init",
  {
    /** Strength of the pull. */
    lambda: 1e-3,
  },
  ({ lambda }) => {
    requireNumber("l2Init", "lambda", lambda, 0);
    return {
      tokens: true,
      init: ({ weights }): { tensors: Anchor } => ({
        tensors: { importance: mapTensors((w) => tf.onesLike(w), weights), center: cloneTree(weights) },
      }),
      beforeExperience({ tensors }, _experience, { weights }) {
        return {
          tensors: {
            importance: mapTensors((w) => tf.onesLike(w), weights),
            center: grownLike(tensors.center, weights),
          },
        };
      },
      loss: ({ tensors }, { weights }) => pull(tensors, weights, 2 * lambda),
    };
  },
);

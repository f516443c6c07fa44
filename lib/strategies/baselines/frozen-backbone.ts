import { mapTensors, tf } from "../../engine/index.ts";
import { requireWhole, strategy } from "../strategy.ts";

/**
 * Trains the head alone: the model stays as it begins, or as the first experiences left it.
 *
 * The model's tensors are the same bit for bit from then on, whatever the optimizer; running statistics go on.
 *
 * @example
 * ```ts
 * import { frozenBackbone } from "thalweg";
 * frozenBackbone({ after: 1 });
 * ```
 */
export const frozenBackbone = strategy(
  "frozenBackbone",
  {
    /** Experiences in which the model is still trained. */
    after: 0,
  },
  ({ after }) => {
    requireWhole("frozenBackbone", "after", after, 0);
    return {
      tokens: true,
      init: () => ({ tensors: { frozen: tf.scalar(after === 0 ? 1 : 0) } }),
      beforeExperience: (_state, { index }) => ({ tensors: { frozen: tf.scalar(index >= after ? 1 : 0) } }),
      weights({ tensors }: { tensors: { frozen: tf.Tensor } }, { before, after: moved }) {
        const frozen = tf.greater(tensors.frozen, 0);
        return { ...moved, model: mapTensors((old, now) => tf.where(frozen, old, now!), before.model, moved.model) };
      },
    };
  },
  ["boundary"],
);

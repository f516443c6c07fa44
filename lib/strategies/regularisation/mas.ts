import { cloneTree, disposeTree, mapTensors, scoped, tf } from "../../engine/index.ts";
import { type Anchor, pull, widenedLike } from "../parts/anchor.ts";
import { importanceOf } from "../parts/fisher.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: Anchor | undefined;
}

/**
 * Memory aware synapses: weights that the network's output is sensitive to are pulled back to where past tasks left them.
 *
 * Adds `lambda · Σ_i Ω_i (θ_i − θ*_i)²`, without a ½, with `Ω_i = mean_x |∂‖h(x)‖² / ∂θ_i|` over the logits h of the task's columns,
 * example by example. No labels are used. Importances are added up: `Ω ← decay · Ω + Ω_t`.
 *
 * Aljundi et al. 2018, arXiv:1711.09601, eq. 4–6. In a fully connected network one backward pass serves a whole batch.
 * Differs from the paper: none known.
 *
 * @example
 * ```ts
 * import { mas } from "thalweg";
 * mas({ lambda: 1 });
 * ```
 */
export const mas = strategy(
  "mas",
  {
    /** Strength of the penalty. */
    lambda: 1,
    /** Examples per task that the importance is measured on, at most; 0 measures it on all. */
    samples: 0,
    /** Share of the older importance that is kept at each experience, in [0, 1]. */
    decay: 1,
  },
  ({ lambda, samples, decay }) => {
    requireNumber("mas", "lambda", lambda, 0);
    requireNumber("mas", "samples", samples, 0);
    requireNumber("mas", "decay", decay, 0, 1);
    const lengthOfOutput = (logits: tf.Tensor, mask: tf.Tensor | null): tf.Tensor =>
      tf.sum(
        tf.square(mask === null ? logits : tf.mul(logits, mask)),
        logits.shape.slice(1).map((_, axis) => axis + 1),
      );
    return {
      tokens: true,
      role: "importance",
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience({ tensors }, _experience, { weights }) {
        if (tensors === undefined) return { tensors };
        return { tensors: { importance: widenedLike(tensors.importance, weights), center: cloneTree(weights) } };
      },
      loss: ({ tensors }, { weights }) => (tensors === undefined ? tf.scalar(0) : pull(tensors, weights, 2 * lambda)),
      afterExperience({ tensors }, { train, task }, context) {
        if (train.length === 0) return { tensors };
        const measured = importanceOf(train, 1, lengthOfOutput, { samples: samples || train.length, task }, context);
        const center = cloneTree(context.weights);
        if (tensors === undefined) return { tensors: { importance: measured, center } };
        const importance = scoped(() =>
          mapTensors((sum, more) => tf.add(tf.mul(sum, decay), more!), tensors.importance, measured),
        );
        disposeTree(measured);
        return { tensors: { importance, center } };
      },
    };
  },
  ["boundary"],
);

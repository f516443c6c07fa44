import { disposeTree, leaves, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { requireNumber, requireWhole } from "../parts/checks.ts";
import { fisher } from "../parts/fisher.ts";
import { bound, maskedGradient, movedWhere } from "../parts/sparse.ts";
import { strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: { readonly mask: Params };
}

/**
 * FISH Mask: only the share `keep` of the model's numbers with the largest Fisher information is trained, and the head.
 *
 * The information is that of `samples` examples of the first experience, at their labels, before training; with `again` each experience has
 * its own mask. All other numbers stay bit for bit.
 *
 * Implements: P175 FISH Mask
 *
 * Sung, Nair and Raffel 2021, "Training neural networks with fixed sparse masks", arXiv:2111.09839, section 3. Differs from the paper: the head is
 * always trained, and not counted.
 *
 * @example
 * ```ts
 * import { fishMask } from "thalweg";
 * fishMask({ keep: 0.005 });
 * ```
 */
export const fishMask = strategy(
  "fishMask",
  {
    /** Share of the model's numbers that are trained, in [0, 1]. */
    keep: 0.005,
    /** Examples that the information is measured on. */
    samples: 1024,
    /** Whether each experience has a mask of its own. */
    again: false,
  },
  ({ keep, samples, again }) => {
    requireNumber("fishMask", "keep", keep, 0, 1);
    requireWhole("fishMask", "samples", samples, 1);
    return {
      tokens: true,
      classes: true,
      init: ({ weights }): Memory => ({ tensors: { mask: mapTensors((w) => tf.onesLike(w), weights.model) } }),
      beforeExperience(memory: Memory, { index, task, train }, context): Memory {
        if (train.length === 0 || (index > 0 && !again)) return memory;
        const found = fisher(train, { labels: "true", samples, task }, context);
        const least = bound(
          leaves(found.model as Tree).map((f) => f.dataSync() as Float32Array),
          keep,
          "largest",
        );
        const mask = scoped(() => mapTensors((f) => tf.cast(tf.greaterEqual(f, least), "float32"), found.model));
        disposeTree(found);
        return { tensors: { mask } };
      },
      gradient: ({ tensors }: Memory, gradient) => maskedGradient(gradient, tensors.mask),
      weights: ({ tensors }: Memory, { before, after }) => movedWhere(before, after, tensors.mask),
    };
  },
  ["boundary"],
);

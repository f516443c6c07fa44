import { needShare } from "../../data/options.ts";
import { batching } from "../batching.ts";

/**
 * A new random part of the examples for every pass.
 *
 * Every pass has `share` of the examples. Without replacement (the default) parts follow one another through a shuffled table, which is
 * shuffled anew when it is used up, so that after `1 / share` passes each example was there once; with replacement each pass draws from
 * all of them.
 *
 * Implements: P299 RS2 repeated random subsets
 * Okanovic et al. 2024, "Repeated random sampling for minimizing the time-to-accuracy of learning", arXiv:2305.18424, section 3 (RS2). Their
 * learning rate falls over all passes: `cosine` does so.
 *
 * @example
 * ```ts
 * import { randomSubsets } from "thalweg";
 * randomSubsets({ share: 0.25 }).plan.length!(1000, 0, 8, 10); // 250
 * ```
 */
export const randomSubsets = batching(
  "randomSubsets",
  {
    /** The share of the examples that a pass has, in (0, 1]. */
    share: 0.1,
    /** Whether a part may have examples of the parts just before. */
    replacement: false,
  },
  ({ share, replacement }) => {
    needShare("randomSubsets", "share", share);
    if (share === 0) throw new RangeError("randomSubsets: share must be above 0, got 0");
    const length = (examples: number): number => Math.max(1, Math.floor(share * examples));
    return {
      length,
      order({ labels, epoch, rngs }) {
        const [all, own] = [labels.length, length(labels.length)];
        if (replacement) return rngs(epoch).sample(all, own);
        // Part k of round r; a round is one way through the table, and has only whole parts.
        const parts = Math.floor(all / own);
        const [round, part] = [Math.floor(epoch / parts), epoch % parts];
        return rngs(round)
          .permutation(all)
          .slice(part * own, (part + 1) * own);
      },
    };
  },
);

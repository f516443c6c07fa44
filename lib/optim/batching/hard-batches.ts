import { needShare, needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";

/**
 * Batches with a large loss are trained on again: after every pass over all batches come passes over the hardest of them.
 *
 * Passes go in rounds of `1 + times`. The first of a round has all examples in random batches; the others have the `share` of its whole batches
 * whose mean loss was the largest, with the same examples in each, the hardest first. With `epochs: 2` there is one round of the default. The
 * batch is the run's: a part that changes it makes other groups.
 *
 * Implements: P361 Hard mini-batch training
 * Sahayam, Zakkam and Jayaraman 2023, "Can we learn better with hard samples?", arXiv:2304.03486: batches ranked by their loss, of which the
 * share δ is trained on.
 * Differs from the paper: losses are those of training, before each update; how often the hard batches come is an option.
 *
 * @example
 * ```ts
 * import { hardBatches } from "thalweg";
 * const { length } = hardBatches({ share: 0.2 }).plan;
 * [0, 1, 2, 3].map((epoch) => length!(100, epoch, 4, 10)); // [100, 20, 100, 20]
 * ```
 */
export const hardBatches = batching(
  "hardBatches",
  {
    /** The share of the batches that counts as hard, in (0, 1]. */
    share: 0.2,
    /** Passes over the hard batches after each pass over all. */
    times: 1,
  },
  ({ share, times }) => {
    needShare("hardBatches", "share", share);
    if (share === 0) throw new RangeError("hardBatches: share must be above 0, got 0");
    needWhole("hardBatches", "times", times);
    const round = 1 + times;
    /** Whole batches of a pass, and how many of them are hard; a pass of less than one is a batch by itself. */
    const counts = (examples: number, batch: number): { size: number; all: number; hard: number } => {
      const all = Math.max(1, Math.floor(examples / batch));
      return { size: Math.min(examples, batch), all, hard: Math.max(1, Math.round(share * all)) };
    };
    return {
      losses: true,
      length(examples, epoch, _epochs, batch) {
        const { size, hard } = counts(examples, batch);
        return epoch % round === 0 ? examples : hard * size;
      },
      order({ labels, epoch, batch, losses, rngs }) {
        const first = epoch - (epoch % round);
        const all = rngs(first).permutation(labels.length);
        if (epoch === first) return all;
        const { size, all: count, hard } = counts(labels.length, batch);
        const groups = Array.from({ length: count }, (_, k) => all.slice(k * size, (k + 1) * size));
        const known = groups.map((group) => group.reduce((sum, i) => sum + losses![i]!, 0));
        const ranked = [...groups.keys()].sort((a, b) => known[b]! - known[a]! || a - b);
        return Uint32Array.from(ranked.slice(0, hard).flatMap((k) => [...groups[k]!]));
      },
    };
  },
);

import { needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";

/**
 * Gradient accumulation: the gradients of several batches are gathered, and their mean over all rows makes one update.
 *
 * With `times: n` an update has `n` times the examples of a batch, and is what one batch of that size would give, to the precision of the
 * sums; memory holds what one batch needs. With `most` batches of any size are divided into passes of at most so many examples, so that a
 * batch that grows runs in the programs it began with. A layer that normalises over the batch sees the rows of one pass; strategies join
 * theirs to each.
 *
 * Ott, Edunov, Grangier and Auli 2018, arXiv:1806.00187, section 3.2 ("delayed updates").
 *
 * @example
 * ```ts
 * import { accumulate } from "thalweg";
 * accumulate({ times: 4 }).spec.options; // { times: 4, most: 0 }
 * ```
 */
export const accumulate = batching(
  "accumulate",
  {
    /** Batches whose gradients make one update. */
    times: 1,
    /** The most examples that pass through the network at once; 0 sets no limit. */
    most: 0,
  },
  ({ times, most }) => {
    needWhole("accumulate", "times", times);
    needWhole("accumulate", "most", most, 0);
    return { accumulate: () => times, most: () => most };
  },
);

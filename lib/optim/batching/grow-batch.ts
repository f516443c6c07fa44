import { needWhole } from "../../data/options.ts";
import { batching } from "../batching.ts";
import { shareDone } from "../parts/share.ts";

/**
 * A batch that grows at milestones, in place of a learning rate that falls.
 *
 * The batch is `batch · factor^k` after `k` of the milestones, which are shares of the examples of an experience over all its passes. The noise
 * of SGD goes as the rate divided by the batch, so that growing one by a factor is like dividing the other by it, in fewer steps. Every size
 * is a program of its own; `accumulate({ most })` runs all in the first one's.
 *
 * Smith, Kindermans, Ying and Le 2018, arXiv:1711.00489, section 5.1: factor 5 at 30, 60 and 80 % of 200 passes.
 *
 * @example
 * ```ts
 * import { growBatch } from "thalweg";
 * const { plan } = growBatch({ factor: 2, at: [0.5] });
 * const half = { step: 5, steps: 8, epoch: 1, experience: 0, taken: 5, seen: 50, examples: 50, epochs: 2, batch: 10 };
 * plan.batch!(half); // 20
 * ```
 */
export const growBatch = batching(
  "growBatch",
  {
    /** What the batch is multiplied by at each milestone. */
    factor: 5,
    /** Shares of the experience at which it grows, ascending. */
    at: [0.3, 0.6, 0.8] as readonly number[],
    /** The largest batch; 0 sets no limit. */
    most: 0,
  },
  ({ factor, at, most }) => {
    if (!(factor > 0)) throw new RangeError(`growBatch: factor must be a positive number, got ${factor}`);
    needWhole("growBatch", "most", most, 0);
    if (at.some((share, i) => !(share >= 0 && share <= 1) || (i > 0 && share < at[i - 1]!)))
      throw new RangeError(`growBatch: at must be ascending shares in [0, 1], got [${at}]`);
    return {
      batch(moment) {
        const done = shareDone(moment);
        const grown = Math.max(1, Math.round(moment.batch * factor ** at.filter((share) => done >= share).length));
        return most === 0 ? grown : Math.min(grown, most);
      },
    };
  },
);

import { needShare } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";
import { shareDone } from "../parts/share.ts";

/**
 * A learning rate that falls by a factor at milestones: `factor^k` after `k` of them, which are shares of each experience.
 *
 * He, Zhang, Ren and Sun 2016, arXiv:1512.03385, section 4.2: a tenth at half and at three quarters of training.
 *
 * @example
 * ```ts
 * import { stepped } from "thalweg";
 * stepped({ at: [0.5] }).factor({ step: 50, steps: 100, epoch: 0, experience: 0 }); // 0.1
 * ```
 */
export const stepped = schedule(
  "stepped",
  {
    /** What the rate is multiplied by at each milestone. */
    factor: 0.1,
    /** Shares of an experience, ascending. */
    at: [0.5, 0.75] as readonly number[],
  },
  ({ factor, at }) => {
    if (!(factor > 0)) throw new RangeError(`stepped: factor must be a positive number, got ${factor}`);
    for (const share of at) needShare("stepped", "at", share);
    return (moment) => factor ** at.filter((share) => shareDone(moment) >= share).length;
  },
);

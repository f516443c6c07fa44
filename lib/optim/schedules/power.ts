import { needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate that falls as a power of the number of examples seen, whatever the batch and however long training is: the power scheduler.
 *
 * With `n` examples seen in the run the rate is `batch · a · n^b`, but at most the optimizer's; over `warmup` steps it rises in a straight line to what the power
 * gives at their end, and over the last share `decay` of the steps of each experience it falls exponentially to `floor` of that. `a` is in shares of the
 * optimizer's rate.
 *
 * Implements: P373 Power Scheduler
 * Shen et al. 2024, "Power Scheduler", arXiv:2408.13359, section 4: `η = min(η_max, β · a n^b)` with b = −0.51.
 * Differs from the paper: examples in place of tokens; `a` has to be found for a network and an optimizer, as there.
 *
 * @example
 * ```ts
 * import { power } from "thalweg";
 * const { factor } = power({ a: 1, b: -0.5, warmup: 0 });
 * factor({ step: 40, steps: 100, epoch: 0, experience: 0, taken: 40, batch: 10 }); // min(1, 10 / √400) = 0.5
 * ```
 */
export const power = schedule(
  "power",
  {
    /** The rate of one example in a batch after the first, as a share of the optimizer's. */
    a: 4,
    /** The power, at most 0. */
    b: -0.51,
    /** Steps of the run until the power holds. */
    warmup: 100,
    /** The share of the steps of an experience in which it falls at the end; 0: it goes on. */
    decay: 0,
    /** What it falls to, as a share of what it was. */
    floor: 0.01,
  },
  ({ a, b, warmup: rising, decay, floor }) => {
    if (!(a > 0 && b <= 0)) throw new RangeError(`power: a above 0 and b of at most 0 are required, got ${a} and ${b}`);
    needWhole("power", "warmup", rising, 0);
    needShare("power", "decay", decay);
    needShare("power", "floor", floor);
    if (floor === 0) throw new RangeError("power: a floor above 0 is required, got 0");
    return ({ step, steps, taken = step, batch = 1 }) => {
      const at = (n: number): number => Math.min(1, batch * a * Math.max(1, n) ** b);
      if (taken < rising) return (at(rising * batch) * (taken + 1)) / rising;
      const start = steps * (1 - decay);
      const share = step <= start ? 0 : Math.min(1, (step - start) / Math.max(1, steps - start));
      return at(taken * batch) * floor ** share;
    };
  },
);

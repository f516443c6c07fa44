import { needOneOf, needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate that stays up and falls before each of several checkpoints, and goes on at its height from the weights that the fall has
 * left: WSD-S. One run gives a good network at every checkpoint.
 *
 * Checkpoints are at multiples of `every` steps, of each experience or of the run. Over the last share `decay` of the steps before one the
 * inverse of the rate rises in a straight line to `1 / floor`.
 *
 * Implements: P419 WSD-S / river valley
 *
 * Wen et al. 2024, "Understanding warmup-stable-decay learning rates: a river valley loss landscape perspective", arXiv:2410.05192, section 4
 * and equation 4.
 *
 * @example
 * ```ts
 * import { wsdS } from "thalweg";
 * const { factor } = wsdS({ warmup: 0, every: 10, decay: 0.2, floor: 0.1 });
 * [7, 8, 9, 10, 18, 19].map((step) => factor({ step, steps: 20, epoch: 0, experience: 0 })); // [1, 1, 0.18182, 1, 1, 0.18182]
 * ```
 */
export const wsdS = schedule(
  "wsdS",
  {
    /** Steps until the whole rate. */
    warmup: 100,
    /** Steps from one checkpoint to the next. */
    every: 1000,
    /** The share of these in which it falls. */
    decay: 0.1,
    /** The factor at a checkpoint. */
    floor: 0.1,
    /** Whether checkpoints are of each experience or of the run. */
    over: "experience" as "experience" | "run",
  },
  ({ warmup, every, decay, floor, over }) => {
    needWhole("wsdS", "warmup", warmup, 0);
    needWhole("wsdS", "every", every);
    needShare("wsdS", "decay", decay);
    needShare("wsdS", "floor", floor);
    needOneOf("wsdS", "over", over, ["experience", "run"]);
    if (floor === 0) throw new RangeError("wsdS: a floor above 0 is required, got 0");
    return ({ step, taken = step }) => {
      const now = over === "run" ? taken : step;
      if (now < warmup) return (now + 1) / warmup;
      const start = every * (1 - decay);
      const within = now % every;
      if (within <= start) return 1;
      const share = (within - start) / Math.max(1, every - start);
      return 1 / (share / floor + 1 - share);
    };
  },
);

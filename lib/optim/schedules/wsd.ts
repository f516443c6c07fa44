import { needOneOf, needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate that warms up, stays, and falls at the end: warmup, stable, decay.
 *
 * Over `warmup` steps it rises in a straight line, then it stays, and over the last share `decay` of the steps it falls to `floor`:
 * exponentially, in a straight line, or so that its inverse rises in a straight line. With `over: "run"` the steps of the whole run are
 * counted, of which there are `total`; a run that shall go on is forked from a place before the fall with a larger total.
 *
 * Implements: P370 MiniCPM (WSD schedule)
 * Hu et al. 2024, "MiniCPM", arXiv:2404.06395, section 4.2, eq. 1, exponential decay; the inverse is that of Wen et al. 2024, arXiv:2410.05192.
 * Differs from the paper: its scaling grids are not part of it.
 *
 * @example
 * ```ts
 * import { wsd } from "thalweg";
 * const { factor } = wsd({ warmup: 10, decay: 0.2, shape: "linear" });
 * [0, 9, 50, 80, 90, 100].map((step) => factor({ step, steps: 100, epoch: 0, experience: 0 })); // [0.1, 1, 1, 1, 0.55, 0.1]
 * ```
 */
export const wsd = schedule(
  "wsd",
  {
    /** Steps until the whole rate. */
    warmup: 100,
    /** The share of the steps in which it falls. */
    decay: 0.1,
    /** The factor at the end. */
    floor: 0.1,
    /** How it falls. */
    shape: "exponential" as "exponential" | "linear" | "inverse",
    /** Whether each experience has one such course, or the run, which then has `total` steps. */
    over: "experience" as "experience" | "run",
    total: 0,
  },
  ({ warmup: rising, decay, floor, shape, over, total }) => {
    needWhole("wsd", "warmup", rising, 0);
    needShare("wsd", "decay", decay);
    needShare("wsd", "floor", floor);
    if (floor === 0 && shape !== "linear")
      throw new RangeError(`wsd: a floor above 0 is required to fall ${shape}ly, got 0; give one, or shape "linear"`);
    needOneOf("wsd", "shape", shape, ["exponential", "linear", "inverse"]);
    needOneOf("wsd", "over", over, ["experience", "run"]);
    needWhole("wsd", "total", total, over === "run" ? 1 : 0);
    return ({ step, steps, taken = step }) => {
      const [now, all] = over === "run" ? [taken, total] : [step, steps];
      if (now < rising) return (now + 1) / rising;
      const start = Math.max(rising, all * (1 - decay));
      if (now <= start) return 1;
      const share = Math.min(1, (now - start) / Math.max(1, all - start));
      if (shape === "linear") return 1 - (1 - floor) * share;
      return shape === "exponential" ? floor ** share : 1 / (share / floor + 1 - share);
    };
  },
);

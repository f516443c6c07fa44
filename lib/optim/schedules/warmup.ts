import { needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate that rises from a part of it to the whole over the first steps, and stays there.
 *
 * Step `k` of the first `steps` has the factor `start + (1 − start) · (k + 1) / steps`; with `each: "run"` the steps of the run count, else those of
 * each experience.
 *
 * Goyal et al. 2017, arXiv:1706.02677, section 2.2 ("gradual warmup").
 *
 * @example
 * ```ts
 * import { warmup } from "thalweg";
 * warmup({ steps: 4 }).factor({ step: 1, steps: 100, epoch: 0, experience: 0 }); // 0.5
 * ```
 */
export const warmup = schedule(
  "warmup",
  {
    /** Steps until the whole rate. */
    steps: 100,
    /** The factor from which it rises. */
    start: 0,
    /** Whether it begins anew with every experience. */
    each: "experience" as "experience" | "run",
  },
  ({ steps, start, each }) => {
    needWhole("warmup", "steps", steps);
    needShare("warmup", "start", start);
    return ({ step, taken = step }) => {
      const now = each === "run" ? taken : step;
      return start + (1 - start) * Math.min(1, (now + 1) / steps);
    };
  },
);

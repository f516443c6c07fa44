import { schedule } from "../optimizer.ts";

/**
 * A learning rate that is multiplied by a factor with every step or every pass: `gamma^k` at the `k`-th of an experience.
 *
 * The rule of PyTorch's `ExponentialLR`; Robbins and Monro 1951, "A stochastic approximation method", is where falling rates come from.
 *
 * @example
 * ```ts
 * import { exponential } from "thalweg";
 * exponential({ gamma: 0.5 }).factor({ step: 70, steps: 100, epoch: 2, experience: 0 }); // 0.25
 * ```
 */
export const exponential = schedule(
  "exponential",
  {
    /** What the rate is multiplied by. */
    gamma: 0.9,
    /** With every pass over the experience, or every step. */
    every: "epoch" as "epoch" | "step",
  },
  ({ gamma, every }) => {
    if (!(gamma > 0 && gamma <= 1)) throw new RangeError(`exponential: gamma must be in (0, 1], got ${gamma}`);
    return ({ step, epoch }) => gamma ** (every === "epoch" ? epoch : step);
  },
);

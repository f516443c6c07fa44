import { needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate that falls along half a cosine and begins again, in cycles that grow: SGDR.
 *
 * The first cycle has `steps` steps, each other `growth` times as many as the one before; within a cycle of `T` steps the factor of its `k`-th is
 * `floor + ½ (1 − floor)(1 + cos(π k / T))`. Cycles begin anew with every experience.
 *
 * Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5.
 *
 * @example
 * ```ts
 * import { cosineRestarts } from "thalweg";
 * const { factor } = cosineRestarts({ steps: 10, growth: 2 });
 * [0, 5, 10, 20, 30].map((step) => factor({ step, steps: 90, epoch: 0, experience: 0 })); // [1, 0.5, 1, 0.5, 1]
 * ```
 */
export const cosineRestarts = schedule(
  "cosineRestarts",
  {
    /** Steps of the first cycle. */
    steps: 100,
    /** How many times longer each cycle is than the one before. */
    growth: 2,
    /** The factor at the end of a cycle. */
    floor: 0,
  },
  ({ steps, growth, floor }) => {
    needWhole("cosineRestarts", "steps", steps);
    needWhole("cosineRestarts", "growth", growth);
    needShare("cosineRestarts", "floor", floor);
    return ({ step }) => {
      let [start, length] = [0, steps];
      while (step >= start + length) [start, length] = [start + length, length * growth];
      return floor + 0.5 * (1 - floor) * (1 + Math.cos((Math.PI * (step - start)) / length));
    };
  },
);

import { schedule } from "../optimizer.ts";

/**
 * A learning rate that falls along half a cosine over each experience (Loshchilov and Hutter 2017, eq. 5, one cycle per experience).
 *
 * @example
 * ```ts
 * import { cosine } from "thalweg";
 * cosine({ floor: 0.1 }).factor({ step: 0, steps: 100, epoch: 0, experience: 0 }); // 1
 * ```
 */
export const cosine = schedule(
  "cosine",
  {
    /** The factor at the end, in [0, 1]. */
    floor: 0,
  },
  ({ floor }) =>
    ({ step, steps }) =>
      floor + (1 - floor) * 0.5 * (1 + Math.cos((Math.PI * step) / Math.max(1, steps))),
);

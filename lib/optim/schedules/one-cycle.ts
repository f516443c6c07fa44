import { needShare } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate that rises to the whole and falls far below where it began, once in an experience: one cycle.
 *
 * It begins at the share `1 / divide` of the rate, rises along half a cosine over the share `rise` of the steps, and falls along another to
 * `1 / (divide · last)`: the rule of PyTorch's `OneCycleLR` with its two phases.
 *
 * Smith and Topin 2019, arXiv:1708.07120, section 3.
 * Differs from the paper: cosines in place of straight lines, as in PyTorch; momentum stays.
 *
 * @example
 * ```ts
 * import { oneCycle } from "thalweg";
 * oneCycle().factor({ step: 0, steps: 101, epoch: 0, experience: 0 }); // 0.04
 * ```
 */
export const oneCycle = schedule(
  "oneCycle",
  {
    /** How many times smaller the rate is at first. */
    divide: 25,
    /** How many times smaller than at first it is at last. */
    last: 1e4,
    /** The share of the steps in which it rises. */
    rise: 0.3,
  },
  ({ divide, last, rise }) => {
    for (const [name, value] of Object.entries({ divide, last }))
      if (!(value >= 1)) throw new RangeError(`oneCycle: ${name} must be a number of at least 1, got ${value}`);
    needShare("oneCycle", "rise", rise);
    const between = (from: number, to: number, share: number): number =>
      to + 0.5 * (from - to) * (1 + Math.cos(Math.PI * share));
    return ({ step, steps }) => {
      const top = rise * steps - 1;
      const end = steps - 1;
      if (step <= top) return between(1 / divide, 1, top <= 0 ? 1 : step / top);
      return between(1, 1 / (divide * last), end <= top ? 1 : Math.min(1, (step - top) / (end - top)));
    };
  },
);

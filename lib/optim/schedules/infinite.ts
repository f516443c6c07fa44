import { needShare, needWhole } from "../../data/options.ts";
import { schedule } from "../optimizer.ts";

/**
 * A learning rate for training that may always go on: warmup, cooldown to a constant, and a fall only where a network is to be taken.
 *
 * Steps are those of the whole run: it rises in a straight line over `warmup` of them, falls along half a cosine to `constant` over `cooldown`, and
 * stays there however many experiences come. From step `anneal` on it falls exponentially, `constant · (floor / constant)^((n − anneal) / (steps + anneal))`
 * with `steps` the annealing's. A network is taken by forking a run at any place with the same schedule and an `anneal` (`run.at(…).fork`); the run itself goes on.
 *
 * Implements: P021 Infinite LR schedule
 * Singh et al. 2025, "Beyond cosine decay", arXiv:2503.02844, eq. 1.
 *
 * @example
 * ```ts
 * import { infinite } from "thalweg";
 * const { factor } = infinite({ warmup: 10, cooldown: 20, constant: 0.5 });
 * [0, 5, 10, 20, 30, 9999].map((taken) => factor({ step: 0, steps: 9, epoch: 0, experience: 3, taken })); // [0, 0.5, 1, 0.75, 0.5, 0.5]
 * ```
 */
export const infinite = schedule(
  "infinite",
  {
    /** Steps of the run until the whole rate. */
    warmup: 100,
    /** Steps in which it falls to the constant. */
    cooldown: 1000,
    /** The factor that it stays at. */
    constant: 0.5,
    /** The step of the run from which it falls; 0: never. */
    anneal: 0,
    /** How slowly it then falls. */
    steps: 1000,
    /** Where it falls to. */
    floor: 0.01,
  },
  ({ warmup: rising, cooldown, constant, anneal, steps, floor }) => {
    needWhole("infinite", "warmup", rising, 0);
    needWhole("infinite", "cooldown", cooldown, 0);
    needWhole("infinite", "anneal", anneal, 0);
    needWhole("infinite", "steps", steps);
    needShare("infinite", "constant", constant);
    needShare("infinite", "floor", floor);
    if (constant === 0 || floor === 0)
      throw new RangeError(`infinite: constant and floor above 0 are required, got ${constant} and ${floor}`);
    if (anneal > 0 && anneal < rising + cooldown)
      throw new RangeError(
        `infinite: anneal after warmup and cooldown (${rising + cooldown} steps) is required, got ${anneal}`,
      );
    return ({ step, taken = step }) => {
      if (taken < rising) return taken / rising;
      if (taken < rising + cooldown)
        return constant + 0.5 * (1 - constant) * (1 + Math.cos((Math.PI * (taken - rising)) / cooldown));
      if (anneal === 0 || taken < anneal) return constant;
      return constant * (floor / constant) ** ((taken - anneal) / (steps + anneal));
    };
  },
);

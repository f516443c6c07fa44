/** Brings tasks back with a probability that falls with the time since they were last met. */
import { needWhole, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { picked } from "../parts/picked.ts";
import { rngOf } from "../parts/seed.ts";
import { visits } from "../parts/visits.ts";
import type { Seed } from "../stream.ts";

/** What `revisit` can be told. */
export interface RevisitOptions {
  /** How many experiences there are in all; default ten times the stream's. */
  readonly experiences?: number;
  /** How fast a task falls out of use: 0 brings all back alike; default 1. */
  readonly exponent?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Experiences come back: new ones are met in order and at even distances, and in between an experience met `d` moments ago returns with a
 * probability in proportion to `d^−exponent`. A task met again is the same column of the accuracy matrix.
 *
 * J. Anderson and L. Schooler, Reflections of the environment in memory, Psychological Science 1991, as it is used for permuted tasks in
 * "Catastrophic interference is mitigated in naturalistic power-law learning environments", arXiv:2401.10393. Differs from the paper: new
 * tasks come at even distances.
 *
 * Implements: P300 Power-law rehearsal environment
 *
 * @example
 * ```ts
 * import { digits, operators, permuted } from "thalweg";
 * operators.revisit({ experiences: 50 })(permuted(digits(), 5)).tasks; // 5
 * ```
 */
export const revisit = operator("revisit", (options: RevisitOptions = {}) => {
  const o = withDefaults<Required<RevisitOptions>>("revisit", options, { experiences: 0, exponent: 1, seed: 0 });
  const rng = rngOf(o.seed, "revisit");
  return (stream) => {
    if (stream.length === Infinity) throw new RangeError("revisit: a stream that ends is required; slice it first");
    const length = options.experiences ?? 10 * stream.length;
    needWhole("revisit", "experiences", length, stream.length);
    return picked(stream, visits(stream.length, length, o.exponent, rng));
  };
});

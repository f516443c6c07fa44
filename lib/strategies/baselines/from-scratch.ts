import { fresh } from "../parts/fresh.ts";
import { strategy } from "../strategy.ts";

/**
 * Begins with a new network for every experience: what each experience is worth without the past.
 *
 * @example
 * ```ts
 * import { fromScratch } from "thalweg";
 * fromScratch();
 * ```
 */
export const fromScratch = strategy(
  "fromScratch",
  {},
  () => ({ tokens: true, beforeExperience: (_state, { index }, context) => (index === 0 ? {} : fresh(context)) }),
  ["boundary"],
);

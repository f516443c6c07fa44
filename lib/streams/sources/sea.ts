/** The SEA concepts. */
import { type DriftOptions, drifting } from "../parts/drift.ts";
import { type Stream, source } from "../stream.ts";

export type { DriftOptions } from "../parts/drift.ts";

const thresholds = [8, 9, 7, 9.5];

/**
 * Three numbers from 0 to 10, of which the class is whether the first two add up to at most 8, 9, 7 or 9.5: four concepts, with 10 % of the
 * training labels wrong. In a batch the numbers are 0 to 1. Options as for every drift: `concepts: [0, 1, 0, 1]` recurs.
 *
 * W. Street and Y. Kim, A streaming ensemble algorithm (SEA) for large-scale classification, KDD 2001, section 4.
 *
 * @example
 * ```ts
 * import { sea } from "thalweg";
 * sea({ concepts: [0, 1, 0], examples: 200 }).tasks; // 2
 * ```
 */
export const sea = source("sea", "none", function sea(options: DriftOptions = {}): Stream<
  "boundary" | "labels" | "length",
  "vector"
> {
  return drifting(
    {
      name: "sea",
      concepts: thresholds.length,
      size: 3,
      classes: ["above", "at most"],
      draw(concept, rng, out) {
        for (let j = 0; j < 3; j++) out[j] = rng.uniform();
        return 10 * (out[0]! + out[1]!) <= thresholds[concept]! ? 1 : 0;
      },
    },
    options,
    (seed) => sea({ ...options, seed }),
  );
});

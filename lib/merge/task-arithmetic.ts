import { merging } from "./merging.ts";
import { sumOf } from "./parts/vectors.ts";

/**
 * Task arithmetic: what the networks have changed is added up, `θ = θ₀ + scale · Σ (θᵢ − θ₀)`. With one network and a scale below 0 it takes
 * away what that network had learnt.
 *
 * Ilharco et al. 2022, arXiv:2212.04089, section 2; the scale is that of its eight tasks.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.taskArithmetic({ scale: 0.4 }); // { rule: "taskArithmetic", options: { scale: 0.4 } }
 * ```
 */
export const taskArithmetic = merging(
  "taskArithmetic",
  {
    /** What the sum of all changes is multiplied by. */
    scale: 0.3,
  },
  {
    needsBase: true,
    next(held, vector, { options: { scale } }) {
      return { merged: held === null ? vector.map((x) => x * scale) : sumOf([held.merged, vector], [1, scale]) };
    },
  },
);

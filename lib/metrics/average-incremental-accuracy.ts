/** How well the tasks met so far were done, on average over the whole run. */
import { metric } from "./metric.ts";
import { fromCells } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";

/**
 * The mean over experiences of the average accuracy on the tasks seen by then: `(1/T) Σ_i (1/i) Σ_{j≤i} R[i][j]`.
 *
 * Rebuffi et al. 2017 (iCaRL), arXiv:1611.07725, section 4.1, and the class-incremental literature after it.
 * Differs from the paper: tasks weigh the same, where iCaRL pools their test examples; equal when all tasks have as many.
 * Not the same number as `diazAccuracy`, which weighs late experiences more.
 *
 * @example
 * ```ts
 * import { averageIncrementalAccuracy } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * averageIncrementalAccuracy([
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8 },
 * ]).value; // (0.9 + 0.7) / 2 = 0.8
 * ```
 */
export const averageIncrementalAccuracy = metric(
  "averageIncrementalAccuracy",
  { formula: "(1/T) Σ_i (1/i) Σ_{j≤i} R[i][j]", higherIsBetter: true },
  (events) =>
    fromCells(events, ({ matrix, at, seen }) =>
      mean(matrix.values.map((_, row) => mean(seen(row).map((task) => at(row, task))))),
    ),
);

/**
 * The mean of the lower triangle of the accuracy matrix: `2/(T(T+1)) Σ_{i≥j} R[i][j]`.
 *
 * Díaz-Rodríguez et al. 2018, arXiv:1810.13166; continuum calls it `accuracy_A`.
 *
 * @example
 * ```ts
 * import { diazAccuracy } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * diazAccuracy([
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.9 },
 * ]).value; // (0.9 + 0.6 + 0.9) / 3 = 0.8
 * ```
 */
export const diazAccuracy = metric(
  "diazAccuracy",
  { formula: "2/(T(T+1)) Σ_{i≥j} R[i][j]", higherIsBetter: true },
  (events) =>
    fromCells(events, ({ matrix, at, seen }) =>
      mean(matrix.values.flatMap((_, row) => seen(row).map((task) => at(row, task)))),
    ),
);

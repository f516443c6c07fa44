/** How well all tasks are done at the end. */
import { metric } from "./metric.ts";
import { fromCells } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";

/**
 * The mean over tasks of the accuracy at the end of the run: `(1/T) Σ_j R[T][j]`.
 *
 * Every task weighs the same, however many test examples it has. An interrupted run is measured over the tasks it has met.
 * Lopez-Paz and Ranzato 2017, arXiv:1706.08840, equation 2.
 *
 * @example
 * ```ts
 * import { averageAccuracy } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * averageAccuracy([
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8 },
 * ]).value; // 0.7
 * ```
 */
export const averageAccuracy = metric(
  "averageAccuracy",
  { formula: "(1/T) Σ_j R[T][j]", higherIsBetter: true },
  (events) => fromCells(events, ({ at, last, seen }) => mean(seen().map((task) => at(last, task)))),
);

/**
 * The accuracy at the end on the test examples of all tasks taken together: `Σ_j n_j R[T][j] / Σ_j n_j`.
 *
 * What Avalanche reports for a stream, and what iCaRL and the class-incremental literature call the accuracy on all seen classes.
 * The same as `averageAccuracy` when all tasks have as many test examples.
 *
 * @example
 * ```ts
 * import { pooledAccuracy } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * pooledAccuracy([
 *   { ...shared, after: 0, on: 0, examples: 300, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, examples: 300, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, examples: 100, accuracy: 0.8 },
 * ]).value; // (300 · 0.6 + 100 · 0.8) / 400 = 0.65
 * ```
 */
export const pooledAccuracy = metric(
  "pooledAccuracy",
  { formula: "Σ_j n_j R[T][j] / Σ_j n_j", higherIsBetter: true },
  (events) =>
    fromCells(events, ({ matrix, at, last, seen }) => {
      const counts = seen().map((task) => matrix.examples[task]!);
      const right = seen().map((task) => matrix.examples[task]! * at(last, task));
      return mean(right) / mean(counts);
    }),
);

/** Forward transfer: what earlier tasks do for a task before it has been learned. */
import type { TrainEvent } from "../train/events.ts";
import { type Measured, metric, notDefined } from "./metric.ts";
import { type Cells, fromCells, undefinedBecause } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";
import { untrainedOutputs } from "./parts/untrained-outputs.ts";

/**
 * Forward transfer, by the two definitions in use; they are not the same number.
 *
 * "Before" is before the first example of the task: on a stream that is cut into pieces of tasks (`online`), before the first piece; a task
 * that recurs counts until it is first met. Both need every task evaluated before it is learned. Neither is defined in class-incremental learning, where the outputs of a
 * task's classes have never been trained before the task is met: a zero there says nothing of transfer.
 *
 * @example
 * ```ts
 * import { fwt } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * const log = [
 *   { ...shared, at: "start", step: 0, after: -1, on: 1, accuracy: 0.1 } as const,
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 0, on: 1, accuracy: 0.4 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.8 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.9 },
 * ];
 * fwt.gem(log).value; // 0.4 − 0.1 = 0.3
 * fwt.diaz(log).value; // 0.4
 * ```
 */
export const fwt = {
  /**
   * Accuracy just before a task is learned, over that of the untrained network: `1/(T−1) Σ_{j≥2} (R[j−1][j] − b_j)`.
   *
   * Lopez-Paz and Ranzato 2017 (GEM), arXiv:1706.08840, equation 4. `b_j` is the evaluation before any training.
   */
  gem: metric("fwt.gem", { formula: "1/(T−1) Σ_{j≥2} (R[j−1][j] − b_j)", higherIsBetter: true }, (events) =>
    transfer(events, ({ at, before, met }, later) => mean(later.map((task) => at(met(task) - 1, task) - before(task)))),
  ),
  /**
   * The mean of the upper triangle of the accuracy matrix, with no baseline: `2/(T(T−1)) Σ_{i<j} R[i][j]`.
   *
   * Díaz-Rodríguez et al. 2018, arXiv:1810.13166; what continuum and CapyMOA compute. An untrained network already
   * scores chance here, so the number depends on how many classes there are.
   */
  diaz: metric("fwt.diaz", { formula: "2/(T(T−1)) Σ_{i<j} R[i][j]", higherIsBetter: true }, (events) =>
    transfer(events, ({ at, ends, met }, later) =>
      mean(later.flatMap((task) => ends.filter((row) => row < met(task)).map((row) => at(row, task)))),
    ),
  ),
};

function transfer(events: Iterable<TrainEvent>, measure: (cells: Cells, later: number[]) => number): Measured {
  const log = [...events];
  const why = untrainedOutputs(log);
  if (why !== undefined) return notDefined(why);
  return fromCells(log, (cells) => {
    const later = cells.seen().filter((task) => cells.met(task) > 0);
    return later.length > 0 ? measure(cells, later) : undefinedBecause("only one task has been learned");
  });
}

/** How quickly a task is learned from its first batches. */
import { type Metric, metric, notDefined } from "./metric.ts";
import { evaluationsOf } from "./parts/curves.ts";
import { mean } from "./parts/summaries.ts";

/**
 * The area under the learning curve of the first `batches` steps on each new task (LCA), mean over tasks.
 *
 * `LCA_β = 1/(β+1) Σ_{b=0..β} Z_b`, with `Z_b` the mean over tasks of the accuracy on the task after `b` steps on it. `Z_0` is the
 * accuracy before its first step. Needs the tasks evaluated after every step: `evaluate({ everySteps: 1 })`.
 * Chaudhry et al. 2019 (A-GEM), arXiv:1812.00420.
 *
 * @example
 * ```ts
 * import { learningCurveArea } from "thalweg";
 * const at = (step: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "step", step, after: 0, on: 0, accuracy, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const boundary = { type: "boundary", step: 0, experience: 0, task: 0, examples: 20, classes: [0], steps: 2 } as const;
 * learningCurveArea(2)([boundary, at(0, 0.1), at(1, 0.4), at(2, 0.7)]).value; // (0.1 + 0.4 + 0.7) / 3 = 0.4
 * ```
 */
export function learningCurveArea(batches = 10): Metric {
  if (!Number.isInteger(batches) || batches < 0) {
    throw new RangeError(`learningCurveArea: a whole number of batches is required, got ${batches}; 10 is usual`);
  }
  return metric(
    `learningCurveArea${batches}`,
    { formula: `1/${batches + 1} Σ_{b=0..${batches}} (1/T) Σ_j A_j(b steps on task j)`, higherIsBetter: true },
    (events) => {
      const { curves, metAt } = evaluationsOf(events);
      const met = curves.flatMap((curve, task) =>
        Number.isFinite(metAt[task]) ? [{ curve, task, start: metAt[task]! }] : [],
      );
      if (met.length === 0) return notDefined("no task was met");
      const areas: number[] = [];
      for (const { curve, task, start } of met) {
        const values = Array.from({ length: batches + 1 }, (_, batch) => curve.y[curve.x.indexOf(start + batch)]);
        const missing = values.indexOf(undefined);
        if (missing >= 0) {
          return notDefined(
            `task ${task} was not evaluated after ${missing} steps on it; evaluate({ everySteps: 1 }) evaluates after every step`,
          );
        }
        areas.push(mean(values as number[]));
      }
      return mean(areas);
    },
  );
}

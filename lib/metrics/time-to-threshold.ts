/** How long it takes to learn a task well enough. */
import { type Metric, metric, notDefined } from "./metric.ts";
import { evaluatedWithin, evaluationsOf } from "./parts/curves.ts";
import { mean } from "./parts/summaries.ts";

/**
 * The steps from the beginning of a task until its accuracy first reaches `threshold`, mean over tasks.
 *
 * Accuracy is linear between evaluations, so the answer does not jump with their spacing. A task that never gets there makes the
 * quantity undefined: a mean over the others would reward giving up. Growing times are a loss of plasticity.
 *
 * @example
 * ```ts
 * import { timeToThreshold } from "thalweg";
 * const at = (step: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "step", step, after: 0, on: 0, accuracy, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const boundary = { type: "boundary", step: 0, experience: 0, task: 0, examples: 20, classes: [0], steps: 20 } as const;
 * timeToThreshold(0.5)([boundary, at(0, 0.1), at(10, 0.4), at(20, 0.6)]).value; // 15 steps
 * ```
 */
export function timeToThreshold(threshold: number): Metric {
  if (!(threshold > 0 && threshold <= 1)) {
    throw new RangeError(`timeToThreshold: an accuracy above 0 and up to 1 is required, got ${threshold}; .8 is 80%`);
  }
  return metric(
    `timeToThreshold${threshold}`,
    { formula: `(1/T) Σ_j min { s − s_j : A_j(s) ≥ ${threshold} }`, higherIsBetter: false, unit: "steps" },
    (events) => {
      const log = [...events];
      if (!evaluatedWithin(log)) {
        return notDefined(
          "the tasks were evaluated only after whole experiences; evaluate({ everySteps: 10 }) shows when they got there",
        );
      }
      const { curves, metAt } = evaluationsOf(log);
      const times: number[] = [];
      for (const [task, { x, y }] of curves.entries()) {
        const start = metAt[task]!;
        if (!Number.isFinite(start)) continue;
        const first = x.findIndex((step, index) => step >= start && y[index]! >= threshold);
        if (first < 0) return notDefined(`task ${task} never reached an accuracy of ${threshold}`);
        const before = first > 0 && x[first - 1]! >= start ? first - 1 : first;
        const [from, to] = [y[before]!, y[first]!];
        const share = to > from ? (threshold - from) / (to - from) : 1;
        times.push(x[before]! + share * (x[first]! - x[before]!) - start);
      }
      return times.length > 0 ? mean(times) : notDefined("no task was met");
    },
  );
}

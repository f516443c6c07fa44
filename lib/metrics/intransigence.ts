/** How much of what could have been learned was not: the price of not forgetting. */
import type { TrainEvent } from "../train/events.ts";
import { averageAccuracy } from "./average-accuracy.ts";
import { type Measured, type Metric, metric, notDefined } from "./metric.ts";
import { fromCells } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";

/** The log of one run of the reference method, on the same stream with the same seed. */
type Reference = readonly TrainEvent[];

/**
 * Intransigence against a reference that learns the tasks jointly; each function makes the metric for a reference run.
 *
 * It is about learning a *new* task: "right after learning" is at the end of the task's first visit, whether that is one experience or
 * several pieces of it on end; what is gained when it recurs does not count.
 *
 * @example
 * ```ts
 * import { intransigence } from "thalweg";
 * const evaluated = (after: number, on: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "experience", step: after, after, on, accuracy, examples: 9, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const joint = [evaluated(0, 0, 0.95), evaluated(1, 0, 0.9), evaluated(1, 1, 0.9)];
 * const run = [evaluated(0, 0, 0.9), evaluated(1, 0, 0.5), evaluated(1, 1, 0.8)];
 * intransigence.cumulative(joint)(run).value; // ((0.95 − 0.9) + (0.9 − 0.8)) / 2 = 0.075
 * intransigence.joint(joint)(run).value; // ((0.9 − 0.9) + (0.9 − 0.8)) / 2 = 0.05
 * ```
 */
export const intransigence = {
  /**
   * Against training on all data up to each task: `1/T Σ_j (a*_j − R[j][j])`, with `a*_j` the reference right after task `j`.
   *
   * The reference is a run of `cumulative()`. Chaudhry et al. 2018 (RWalk), arXiv:1801.10112, section 3.
   */
  cumulative: (reference: Reference): Metric =>
    metric(
      "intransigence.cumulative",
      { formula: "(1/T) Σ_j (a*_j − R[j][j]), a*_j = reference after task j", higherIsBetter: false },
      (events) => against(events, reference, (task, row) => ({ task, row })),
    ),
  /**
   * Against training on all data of the stream at once: `1/T Σ_j (J_j − R[j][j])`, with `J_j` the reference at its end.
   *
   * The reference is a run of `joint()` or the end of any other.
   */
  joint: (reference: Reference): Metric =>
    metric(
      "intransigence.joint",
      { formula: "(1/T) Σ_j (J_j − R[j][j]), J_j = reference at the end", higherIsBetter: false },
      (events) => against(events, reference, (task) => ({ task, row: undefined })),
    ),
};

/** The mean over tasks of the reference's accuracy − the accuracy right after learning. */
function against(
  events: Iterable<TrainEvent>,
  reference: Reference,
  where: (task: number, row: number) => { task: number; row: number | undefined },
): Measured {
  return fromCells(events, ({ at, learned, seen }) => {
    const best = fromReference(reference);
    return mean(
      seen().map((task) => {
        const place = where(task, learned(task));
        return best(place.task, place.row) - at(learned(task), task);
      }),
    );
  });
}

function fromReference(reference: Reference): (task: number, row?: number) => number {
  return (task, row) => {
    let found: number | undefined;
    const measured = fromCells(reference, ({ at, last }) => (found = at(row ?? last, task)));
    if (found === undefined)
      throw new Error(`intransigence: the reference run has to evaluate task ${task}, but ${measured.why}`);
    return found;
  };
}

/**
 * The share of the gap between a lower and an upper reference that a method closes, in final average accuracy.
 *
 * `(A − A_lower) / (A_upper − A_lower)`: 0 as good as the lower one (`naive()`), 1 as good as the upper one (`joint()`).
 *
 * @example
 * ```ts
 * import { gapClosed } from "thalweg";
 * const run = (accuracy: number) =>
 *   [{ type: "evaluated", at: "experience", step: 9, after: 0, on: 0, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }] as const;
 * gapClosed({ lower: run(0.2), upper: run(1) })(run(0.8)).value; // 0.75
 * ```
 */
export function gapClosed({ lower, upper }: { readonly lower: Reference; readonly upper: Reference }): Metric {
  return metric("gapClosed", { formula: "(A − A_lower) / (A_upper − A_lower)", higherIsBetter: true }, (events) => {
    const [own, low, high] = [events, lower, upper].map((log) => averageAccuracy(log));
    for (const part of [own!, low!, high!]) if (part.value === undefined) return part;
    const gap = high!.value! - low!.value!;
    return gap > 0
      ? (own!.value! - low!.value!) / gap
      : notDefined("the upper reference is no better than the lower one");
  });
}

/** How much of what was learned is lost at the end. Libraries disagree on the formula, so each definition has its name. */
import type { TrainEvent } from "../train/events.ts";
import { metric } from "./metric.ts";
import { type Cells, fromCells } from "./parts/cells.ts";
import { mean } from "./parts/summaries.ts";

/** The mean over the tasks that can have been forgotten of (best accuracy over some rows) − (accuracy at the end). */
function drop(events: Parameters<typeof fromCells>[0], rows: (cells: Cells, task: number) => number[]) {
  return fromCells(events, (cells) => {
    const { at, last, earlier } = cells;
    return mean(earlier().map((task) => Math.max(...rows(cells, task).map((row) => at(row, task))) - at(last, task)));
  });
}

/**
 * Chaudhry's forgetting of each task by itself; the mean of these is `forgetting.chaudhry`. Empty when it is not defined.
 *
 * @example
 * ```ts
 * import { forgettingByTask } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * forgettingByTask([
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8 },
 * ]); // [{ task: 0, forgetting: 0.3 }]
 * ```
 */
export function forgettingByTask(
  events: Iterable<TrainEvent>,
): { readonly task: number; readonly forgetting: number }[] {
  const found: { task: number; forgetting: number }[] = [];
  const measured = fromCells(events, (cells) => {
    const { at, last, earlier } = cells;
    for (const task of earlier()) {
      const best = Math.max(...before(cells, task).map((row) => at(row, task)));
      found.push({ task, forgetting: best - at(last, task) });
    }
    return 0;
  });
  return measured.value === undefined ? [] : found;
}

/** The ends of visits from when a task was first learned until before the last. */
function before({ ends, last, learned }: Cells, task: number): number[] {
  return ends.filter((row) => row >= learned(task) && row < last);
}

/**
 * Forgetting, by three definitions that differ as soon as a task improves after it was learned.
 *
 * Rows of the matrix are the ends of tasks: experiences of one task on end are pieces of it (`online` makes them), and the numbers are those
 * of the stream that was not cut. A task that recurs has been known since it was learned first: the best accuracy is looked for from then on,
 * "throughout the learning process in the past" (Chaudhry et al.), while right after learning is after its most recent visit, as in
 * `bwt`. So `chaudhry` is never below −`bwt.gem`, and above 0 wherever that is below. The task of the last experience is left out, and
 * on a stream of one task nothing is defined. On streams that end before all tasks were met, the tasks met count.
 *
 * @example
 * ```ts
 * import { forgetting } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * const log = [
 *   { ...shared, after: 0, on: 0, accuracy: 0.5 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.7 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8 },
 *   { ...shared, after: 2, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 2, on: 1, accuracy: 0.8 },
 *   { ...shared, after: 2, on: 2, accuracy: 0.9 },
 * ];
 * forgetting.chaudhry(log).value; // ((0.7 − 0.6) + (0.8 − 0.8)) / 2 = 0.05
 * forgetting.initialMinusLast(log).value; // ((0.5 − 0.6) + (0.8 − 0.8)) / 2 = −0.05
 * ```
 */
export const forgetting = {
  /**
   * From the best accuracy between learning and the last experience, left out: `1/(T−1) Σ_{j<T} (max_{j≤l<T} R[l][j] − R[T][j])`.
   *
   * Negative when a task ends better than it ever was. Chaudhry et al. 2018 (RWalk), arXiv:1801.10112, section 3.
   * Differs from the paper: its maximum also runs over the rows before the task was learned; a lucky guess is no knowledge to forget.
   */
  chaudhry: metric(
    "forgetting.chaudhry",
    { formula: "1/(T−1) Σ_{j<T} (max_{j≤l<T} R[l][j] − R[T][j])", higherIsBetter: false },
    (events) => drop(events, before),
  ),
  /**
   * From the accuracy right after learning: `1/(T−1) Σ_{j<T} (R[j][j] − R[T][j])`.
   *
   * What Avalanche reports as forgetting: exactly −`bwt.gem`, with no maximum.
   */
  initialMinusLast: metric(
    "forgetting.initialMinusLast",
    { formula: "1/(T−1) Σ_{j<T} (R[j][j] − R[T][j])", higherIsBetter: false },
    (events) => drop(events, ({ last, lastLearned }, task) => [lastLearned(last, task)]),
  ),
  /**
   * From the best accuracy, the last experience included: `1/(T−1) Σ_{j<T} (max_{j≤l≤T} R[l][j] − R[T][j])`.
   *
   * What Mammoth and PyCIL report: never negative, so improvements of old tasks do not offset losses.
   */
  mammoth: metric(
    "forgetting.mammoth",
    { formula: "1/(T−1) Σ_{j<T} (max_{j≤l≤T} R[l][j] − R[T][j])", higherIsBetter: false },
    (events) => drop(events, (cells, task) => [...before(cells, task), cells.last]),
  ),
};

/** The lifelong-learning suite: maintenance, transfer, relative performance and sample efficiency of an agent that learns in blocks. */
import type { TrainEvent } from "../train/events.ts";
import { type Measured, type Metric, metric, notDefined } from "./metric.ts";
import { fromCells, undefinedBecause } from "./parts/cells.ts";
import { type Curve, type Evaluations, evaluatedWithin, evaluationsOf } from "./parts/curves.ts";
import { medianSlope, recoveryTimes } from "./parts/recovery.ts";
import { mean } from "./parts/summaries.ts";
import { untrainedOutputs } from "./parts/untrained-outputs.ts";

/** The logs of single-task experts, by task: each learned that task alone, from scratch, with the same model. */
export type Experts = Readonly<Record<number, readonly TrainEvent[]>>;

/**
 * The L2 metrics. Learning blocks are the experiences, those of one task on end together; the evaluations after them are the evaluation
 * blocks. A task that recurs is maintained from its most recent learning block on, as in the authors' program.
 *
 * New et al. 2022, "Lifelong learning metrics", arXiv:2201.08278; Baker et al. 2023, "A domain-agnostic approach for characterization
 * of lifelong learning systems", Neural Networks 160. Differs from the paper: performance is accuracy and is not smoothed, and
 * values are means over tasks (over pairs of tasks for transfer) where the paper reports each.
 *
 * Implements: P292 L2 lifelong-learning metrics suite
 *
 * @example
 * ```ts
 * import { lifelong } from "thalweg";
 * const evaluated = (after: number, on: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "experience", step: after, after, on, accuracy, examples: 9, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const log = [evaluated(0, 0, 0.9), evaluated(1, 0, 0.6), evaluated(1, 1, 0.8), evaluated(2, 0, 0.3), evaluated(2, 1, 0.8), evaluated(2, 2, 0.7)];
 * lifelong.performanceMaintenance(log).value; // task 0: mean(−0.3, −0.6), task 1: 0 → −0.225
 * lifelong.backwardTransfer(log).value; // mean(−0.3/1.5, −0.3/0.9, 0/1.6) = −0.1778
 * ```
 */
export const lifelong = {
  /** The mean change of each task from its evaluation right after learning to every later one (PM); 0 when nothing is lost. */
  performanceMaintenance: metric(
    "lifelong.performanceMaintenance",
    { formula: "(1/(T−1)) Σ_{j<T} mean_{i>j} (R[i][j] − R[j][j])", higherIsBetter: true },
    (events) =>
      fromCells(events, ({ at, after, lastLearned, earlier }) =>
        mean(earlier().map((task) => mean(after(task).map((row) => at(row, task) - at(lastLearned(row, task), task))))),
      ),
  ),
  /** What learning one task does for each task not yet learned (FT), as a contrast: `(after − before) / (after + before)`, mean over pairs. */
  forwardTransfer: metric(
    "lifelong.forwardTransfer",
    {
      formula: "mean over i<j of (R[i][j] − R[i−1][j]) / (R[i][j] + R[i−1][j]), R[−1] before training",
      higherIsBetter: true,
    },
    (events) => {
      const log = [...events];
      const why = untrainedOutputs(log);
      if (why !== undefined) return notDefined(why);
      return fromCells(log, ({ at, before, met, ends, seen }) =>
        contrasts(
          seen().flatMap((task) =>
            ends
              .filter((row) => row < met(task))
              .map((row, i) => [i === 0 ? before(task) : at(ends[i - 1]!, task), at(row, task)] as const),
          ),
        ),
      );
    },
  ),
  /** What learning one task does to each task learned before (BT), as a contrast: `(after − before) / (after + before)`, mean over pairs. */
  backwardTransfer: metric(
    "lifelong.backwardTransfer",
    { formula: "mean over i>j of (R[i][j] − R[i−1][j]) / (R[i][j] + R[i−1][j])", higherIsBetter: true },
    (events) =>
      fromCells(events, ({ at, after, ends, earlier }) =>
        contrasts(
          earlier().flatMap((task) =>
            after(task).map((row) => [at(ends[ends.indexOf(row) - 1]!, task), at(row, task)] as const),
          ),
        ),
      ),
  ),
  /**
   * Whether a task that comes back is recovered ever faster (PR): for each task, minus the slope of its recovery times over its returns, in
   * steps per return; mean over tasks. A recovery time is the steps until the task's accuracy is its best of the block before.
   */
  performanceRecovery: metric(
    "lifelong.performanceRecovery",
    {
      formula: "(1/T) Σ_j −median over a<b of (r_jb − r_ja) / (b − a), r_jb steps to recover at the b-th return of j",
      higherIsBetter: true,
      unit: "steps",
    },
    (events) => {
      const log = [...events];
      if (!evaluatedWithin(log))
        return notDefined(
          "the tasks were evaluated only after whole experiences; evaluate({ everySteps: 10 }) shows when they recover",
        );
      const slopes = recoveryTimes(log).flatMap((times) => (times.length < 2 ? [] : [-medianSlope(times)]));
      return slopes.length > 0
        ? { value: mean(slopes) }
        : notDefined("no task came back and recovered at least twice; recur() and revisit() bring tasks back");
    },
  ),
  /** Performance while learning each task over that of its expert (RP): ratio of the areas of both learning curves over their common steps. */
  relativePerformance: (experts: Experts): Metric =>
    metric(
      "lifelong.relativePerformance",
      {
        formula: "(1/T) Σ_j ∫ A_j(s) ds / ∫ E_j(s) ds, over the common steps on task j",
        higherIsBetter: true,
        unit: "number",
      },
      (events) =>
        perTask(events, experts, (own, expert) => {
          const end = Math.min(own.x.at(-1)!, expert.x.at(-1)!);
          return area(own, end) / area(expert, end);
        }),
    ),
  /** How fast and how far each task is learned against its expert (SE): ratio of best accuracies × ratio of the steps to reach them. */
  sampleEfficiency: (experts: Experts): Metric =>
    metric(
      "lifelong.sampleEfficiency",
      {
        formula: "(1/T) Σ_j (max A_j / max E_j) · (steps to max E_j / steps to max A_j)",
        higherIsBetter: true,
        unit: "number",
      },
      (events) =>
        perTask(events, experts, (own, expert) => {
          const [best, bestExpert] = [saturation(own), saturation(expert)];
          return (best.value / bestExpert.value) * (bestExpert.step / best.step);
        }),
    ),
};

/** The mean of the contrasts of pairs (before, after); pairs that are both 0 say nothing and are left out. */
function contrasts(pairs: readonly (readonly [number, number])[]): number {
  const told = pairs.filter(([before, after]) => before + after > 0);
  return told.length > 0
    ? mean(told.map(([before, after]) => (after - before) / (after + before)))
    : undefinedBecause("no pair of tasks was evaluated before and after");
}

/** Compares the learning curve of every task with that of its expert, and takes the mean. */
function perTask(
  events: Iterable<TrainEvent>,
  experts: Experts,
  compare: (own: Curve, expert: Curve) => number,
): Measured {
  const log = [...events];
  if (!evaluatedWithin(log)) {
    return notDefined(
      "the tasks were evaluated only after whole experiences; evaluate({ everySteps: 10 }) shows how they were learned",
    );
  }
  const found = evaluationsOf(log);
  const ratios: number[] = [];
  for (const [task, end] of found.learnedAt.entries()) {
    if (!Number.isFinite(end)) continue;
    const expert = experts[task];
    if (expert === undefined) return notDefined(`there is no expert of task ${task}`);
    const curves = [learningCurve(found, task), expertCurve(expert)] as const;
    if (curves.some(({ x }) => x.length < 2)) {
      return notDefined(`task ${task} or its expert was evaluated less than twice while it was learned`);
    }
    ratios.push(compare(...curves));
  }
  return ratios.length > 0 ? { value: mean(ratios) } : notDefined("no task has been learned");
}

/** A task's accuracy against the steps spent on it. */
function learningCurve({ curves, metAt, learnedAt }: Evaluations, task: number): Curve {
  const { x, y } = curves[task]!;
  const [start, end] = [metAt[task]!, learnedAt[task]!];
  const places = x.flatMap((step, index) => (step >= start && step <= end ? [index] : []));
  return { x: places.map((index) => x[index]! - start), y: places.map((index) => y[index]!) };
}

/** The learning curve of the one task an expert was trained on. */
function expertCurve(log: readonly TrainEvent[]): Curve {
  const found = evaluationsOf(log);
  return learningCurve(found, found.metAt.findIndex(Number.isFinite));
}

/** The area under a curve from its beginning to a step, by trapezoids. */
function area({ x, y }: Curve, end: number): number {
  let total = 0;
  for (let index = 1; index < x.length && x[index - 1]! < end; index++) {
    const [from, to] = [x[index - 1]!, Math.min(x[index]!, end)];
    const reached = y[index - 1]! + ((y[index]! - y[index - 1]!) * (to - from)) / (x[index]! - from);
    total += ((y[index - 1]! + reached) / 2) * (to - from);
  }
  return total;
}

/** The best accuracy and the first step at which it was reached. */
function saturation({ x, y }: Curve): { value: number; step: number } {
  const value = Math.max(...y);
  return { value, step: Math.max(1, x[y.indexOf(value)]!) };
}

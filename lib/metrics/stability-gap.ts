/** How far accuracy on old tasks falls while a new one is being learned, even when it recovers by the end. */
import type { TrainEvent } from "../train/events.ts";
import { type Measured, type Metric, metric, notDefined } from "./metric.ts";
import { type Evaluations, evaluatedWithin, evaluationsOf } from "./parts/curves.ts";
import { mean } from "./parts/summaries.ts";

const sparse =
  "the tasks were evaluated only after whole experiences, which hides the gap; evaluate({ everySteps: 10 }) shows it";

/**
 * The stability gap, by the worst-case measures of continual evaluation.
 *
 * All need evaluations within experiences, the more often the truer: the gap of a sparse evaluation is too small.
 * De Lange, van de Ven and Tuytelaars 2023, arXiv:2205.13452, section 3.
 *
 * Implements: P409 Stability Gap / continual evaluation
 *
 * @example
 * ```ts
 * import { stabilityGap } from "thalweg";
 * const evaluated = (at: "step" | "experience", step: number, after: number, on: number, accuracy: number) =>
 *   ({ type: "evaluated", at, step, after, on, accuracy, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const log = [
 *   evaluated("experience", 10, 0, 0, 0.9),
 *   evaluated("step", 12, 1, 0, 0.4),
 *   evaluated("experience", 20, 1, 0, 0.85),
 *   evaluated("experience", 20, 1, 1, 0.8),
 * ];
 * stabilityGap.minimumAccuracy(log).value; // 0.4, where the final accuracy is 0.85
 * stabilityGap.worstCaseAccuracy(log).value; // 0.8 / 2 + 0.4 / 2 = 0.6
 * ```
 */
export const stabilityGap = {
  /** The lowest accuracy of each earlier task after it was learned, mean over them (min-ACC): `1/(T−1) Σ_{j<T} min_n A_j(n), n after task j`. */
  minimumAccuracy: metric(
    "stabilityGap.minimumAccuracy",
    { formula: "1/(T−1) Σ_{j<T} min_n A_j(n), n after task j was learned", higherIsBetter: true },
    (events) => within(events, (found) => minimum(found)),
  ),
  /** What can be relied on at the end (WC-ACC): the last task's accuracy, and the lowest of the others: `A_T/T + (1 − 1/T) · min-ACC`. */
  worstCaseAccuracy: metric(
    "stabilityGap.worstCaseAccuracy",
    { formula: "(1/T) A_T(end) + (1 − 1/T) · minimumAccuracy", higherIsBetter: true },
    (events) =>
      within(events, (found) => {
        const least = minimum(found);
        if (least.value === undefined) return least;
        const tasks = found.learnedAt.filter(Number.isFinite).length;
        const current = found.trainedAt(Number.POSITIVE_INFINITY);
        const last = found.curves[current === -1 ? tasks - 1 : current]!.y.at(-1);
        if (last === undefined) return notDefined("the last task was never evaluated");
        return last / tasks + (1 - 1 / tasks) * least.value;
      }),
  ),
  /**
   * How deep old tasks fall after each boundary, mean over boundaries and tasks: accuracy before it − lowest until the next. A boundary is
   * where another task begins; pieces of one task on end have none between them.
   */
  depth: metric(
    "stabilityGap.depth",
    {
      formula: "mean over boundaries and earlier tasks of A_j(boundary) − min_n A_j(n), n until the next boundary",
      higherIsBetter: false,
    },
    (events) => within(events, depth),
  ),
  windowedForgetting10: windowedForgetting(10),
  windowedForgetting100: windowedForgetting(100),
  windowedPlasticity10: windowedPlasticity(10),
  windowedPlasticity100: windowedPlasticity(100),
};

/**
 * The largest fall of a task's accuracy within `width` successive evaluations (WF), mean over tasks.
 *
 * `1/T Σ_j max_n max_{n−w<m<n} (A_j(m) − A_j(n))`, over the evaluations since task j was first met; 0 when it never falls.
 */
export function windowedForgetting(width: number): Metric {
  return windowed("Forgetting", width, -1);
}

/**
 * The largest rise of a task's accuracy within `width` successive evaluations (WP), mean over tasks.
 *
 * `1/T Σ_j max_n max_{n−w<m<n} (A_j(n) − A_j(m))`, over the evaluations since task j was first met; 0 when it never rises.
 */
export function windowedPlasticity(width: number): Metric {
  return windowed("Plasticity", width, 1);
}

function windowed(kind: "Forgetting" | "Plasticity", width: number, sign: 1 | -1): Metric {
  if (!Number.isInteger(width) || width < 2) {
    throw new RangeError(
      `windowed${kind}: a width of at least 2 evaluations is required, got ${width}; 10 and 100 are usual`,
    );
  }
  const change = sign === 1 ? "A_j(n) − A_j(m)" : "A_j(m) − A_j(n)";
  return metric(
    `stabilityGap.windowed${kind}${width}`,
    { formula: `(1/T) Σ_j max_n max_{n−${width}<m<n} (${change})`, higherIsBetter: sign === 1 },
    (events) =>
      within(events, ({ curves, metAt }) => {
        const met = curves.map(({ x, y }, task) => y.filter((_, index) => x[index]! >= metAt[task]!));
        const followed = met.filter((values) => values.length > 1);
        if (followed.length === 0) return notDefined("no task was evaluated twice after it was met");
        return mean(followed.map((values) => largestChange(values, width, sign)));
      }),
  );
}

/** The largest rise (or fall) between two values at most `width − 1` apart; at least 0. */
function largestChange(values: readonly number[], width: number, sign: 1 | -1): number {
  let largest = 0;
  for (let later = 1; later < values.length; later++) {
    for (let earlier = Math.max(0, later - width + 1); earlier < later; earlier++) {
      largest = Math.max(largest, sign * (values[later]! - values[earlier]!));
    }
  }
  return largest;
}

function within(events: Iterable<TrainEvent>, measure: (found: Evaluations) => Measured | number): Measured {
  const log = [...events];
  if (!evaluatedWithin(log)) return notDefined(sparse);
  const result = measure(evaluationsOf(log));
  return typeof result === "number" ? { value: result } : result;
}

/** The mean over earlier tasks of their lowest accuracy after they were learned, while others are being trained. */
function minimum({ curves, learnedAt, trainedAt }: Evaluations): Measured {
  const lowest = curves.flatMap(({ x, y }, task) => {
    const later = y.filter((_, index) => x[index]! > learnedAt[task]! && trainedAt(x[index]!) !== task);
    return later.length > 0 ? [Math.min(...later)] : [];
  });
  return lowest.length > 0 ? { value: mean(lowest) } : notDefined("only one task has been learned");
}

function depth({ curves, learnedAt, starts }: Evaluations): Measured {
  const falls = starts.flatMap(({ step, task: current }, index) => {
    const end = starts[index + 1]?.step ?? Number.POSITIVE_INFINITY;
    return curves.flatMap(({ x, y }, task) => {
      if (task === current || learnedAt[task]! > step) return [];
      const before = y[x.findLastIndex((at) => at <= step)];
      const after = y.filter((_, place) => x[place]! > step && x[place]! <= end);
      return before === undefined || after.length === 0 ? [] : [before - Math.min(...after)];
    });
  });
  return falls.length > 0 ? { value: mean(falls) } : notDefined("there is no boundary after a learned task");
}

/** The accuracy matrix: what most measures of forgetting and transfer are computed from. */
import type { TrainEvent } from "../train/events.ts";

/**
 * Which output columns compete when an example is classified.
 *
 * `stream`: what the stream tells the learner decides. `aware`: only the columns of the example's own task. `agnostic`: all columns.
 */
export type Rule = "stream" | "aware" | "agnostic";

/**
 * A task that is trained, in one experience or in several on end (`online` cuts them so): after its last experience it has been learned.
 * A task that recurs is visited several times.
 */
export interface Visit {
  readonly task: number;
  /** The row of the matrix at which it ends. */
  readonly row: number;
}

/** Test accuracy on each task after each experience. */
export interface AccuracyMatrix {
  /** One row per experience that was evaluated, one column per task; NaN where a task was not evaluated. */
  readonly values: readonly (readonly number[])[];
  /** The experience each row was evaluated after. */
  readonly experiences: readonly number[];
  /** The accuracy of each task before any training; NaN where it was not evaluated. */
  readonly initial: readonly number[];
  /** The row after which each task had first been trained; −1 for a task that has not been met. */
  readonly learnedAt: readonly number[];
  /** The visits to tasks in their order. */
  readonly visits: readonly Visit[];
  /** How many test examples each task was last evaluated on; 0 for a task that never was. */
  readonly examples: readonly number[];
  /** How many tasks there are: the columns. */
  readonly tasks: number;
  readonly rule: Rule;
}

/**
 * Makes the accuracy matrix of a run: `values[i][j]` is the test accuracy on task `j` after the `i`-th experience.
 *
 * Only the evaluations after a whole experience count, and the one before training, which is the `initial` row. When a task was
 * evaluated twice after the same experience the later one counts. An interrupted run has fewer rows.
 *
 * @example
 * ```ts
 * import { accuracyMatrix } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAgnostic: 0.4 } as const;
 * const matrix = accuracyMatrix([
 *   { ...shared, after: 0, on: 0, accuracy: 0.9, taskAware: 0.95 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6, taskAware: 0.8 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8, taskAware: 0.85 },
 * ]);
 * matrix.values; // [[0.9, NaN], [0.6, 0.8]]
 * ```
 */
export function accuracyMatrix(
  events: Iterable<TrainEvent>,
  { rule = "stream" }: { rule?: Rule } = {},
): AccuracyMatrix {
  const rows = new Map<number, Map<number, number>>();
  const taskOf = new Map<number, number>();
  const examples = new Map<number, number>();
  let tasks = 0;
  for (const event of events) {
    if (event.type === "started") tasks = Math.max(tasks, event.tasks ?? 0);
    else if (event.type === "boundary") {
      taskOf.set(event.experience, event.task);
      tasks = Math.max(tasks, event.task + 1);
    } else if (event.type === "evaluated" && event.at !== "step") {
      const row = rows.get(event.after) ?? new Map<number, number>();
      row.set(event.on, accuracyUnder(event, rule));
      rows.set(event.after, row);
      examples.set(event.on, event.examples);
      tasks = Math.max(tasks, event.on + 1);
    }
  }
  const dense = (row: Map<number, number> | undefined) =>
    Array.from({ length: tasks }, (_, task) => row?.get(task) ?? Number.NaN);
  const experiences = [...rows.keys()].filter((after) => after >= 0).sort((a, b) => a - b);
  const learnedAt = Array.from({ length: tasks }, (_, task) =>
    experiences.findIndex((after) => learnedBy(after, task, taskOf)),
  );
  return {
    values: experiences.map((after) => dense(rows.get(after))),
    experiences,
    initial: dense(rows.get(-1)),
    learnedAt,
    visits: visitsOf(experiences, taskOf, tasks),
    examples: Array.from({ length: tasks }, (_, task) => examples.get(task) ?? 0),
    tasks,
    rule,
  };
}

/**
 * The visits of a run. Where nothing was evaluated between the end of a visit and that of the next, the row is the first one after it. A
 * log without boundaries has task i in experience i.
 */
function visitsOf(experiences: readonly number[], taskOf: ReadonlyMap<number, number>, tasks: number): Visit[] {
  const trained = [...(taskOf.size > 0 ? taskOf : Array.from({ length: tasks }, (_, i) => [i, i] as const))];
  trained.sort(([a], [b]) => a - b);
  return trained.flatMap(([last, task], i) => {
    if (trained[i + 1]?.[1] === task) return [];
    let first = i;
    while (trained[first - 1]?.[1] === task) first--;
    const within = experiences.findLastIndex((after) => after >= trained[first]![0] && after <= last);
    const row = within >= 0 ? within : experiences.findIndex((after) => after >= last);
    return row < 0 ? [] : [{ task, row }];
  });
}

/** The log with another rule of classification in the place of the stream's own, so that any metric can be asked under it. */
export function underRule(events: Iterable<TrainEvent>, rule: Rule): TrainEvent[] {
  return [...events].map((event) =>
    event.type === "evaluated" ? { ...event, accuracy: accuracyUnder(event, rule) } : event,
  );
}

function accuracyUnder(event: TrainEvent & { type: "evaluated" }, rule: Rule): number {
  return rule === "stream" ? event.accuracy : rule === "aware" ? event.taskAware : event.taskAgnostic;
}

/** Whether a task had been trained by the end of an experience. A log without boundaries has task i in experience i. */
function learnedBy(after: number, task: number, taskOf: ReadonlyMap<number, number>): boolean {
  if (taskOf.size === 0) return task <= after;
  for (const [experience, trained] of taskOf) if (trained === task && experience <= after) return true;
  return false;
}

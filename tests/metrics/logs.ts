/** Event logs written by hand, for testing metrics against numbers worked on paper. */
import type { TrainEvent } from "../../lib/train/events.ts";

export interface LogOptions {
  /** The accuracy of each task before training; none by default. */
  readonly initial?: readonly number[];
  readonly head?: "single" | "multi" | "growing";
  /** Whether the tasks have their own two classes each, or all the same ten. */
  readonly classes?: "own" | "shared";
  /** Evaluate all tasks after each experience, or only those seen by then. */
  readonly evaluate?: "all" | "seen";
  /** Rows of the matrix that the run got to. */
  readonly rows?: number;
  /** The task of each experience; task i in experience i by default. */
  readonly tasks?: readonly number[];
  /** What task-aware and task-agnostic accuracy are over the stream's own. */
  readonly aware?: number;
  readonly agnostic?: number;
}

const stepsEach = 10;

/** The log of a run whose accuracy matrix is the one given. */
export function logOf(matrix: readonly (readonly number[])[], options: LogOptions = {}): TrainEvent[] {
  const tasks = options.tasks ?? matrix.map((_, index) => index);
  const columns = Math.max(...matrix.map((row) => row.length));
  const rows = options.rows ?? matrix.length;
  const head = options.head ?? "multi";
  const evaluated = (at: "start" | "experience", after: number, on: number, accuracy: number): TrainEvent => ({
    type: "evaluated",
    step: (after + 1) * stepsEach,
    at,
    after,
    on,
    examples: 100,
    accuracy,
    taskAware: accuracy + (options.aware ?? 0),
    taskAgnostic: accuracy + (options.agnostic ?? 0),
    loss: 1 - accuracy,
  });
  const started: TrainEvent = {
    type: "started",
    seed: 0,
    step: 0,
    experiences: matrix.length,
    tasks: columns,
    head,
    parameters: 1000,
    device: "cpu",
  };
  const initial = (options.initial ?? []).map((accuracy, on) => evaluated("start", -1, on, accuracy));
  const experiences = matrix.slice(0, rows).flatMap((row, experience): TrainEvent[] => {
    const task = tasks[experience]!;
    const classes = options.classes === "shared" ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] : [2 * task, 2 * task + 1];
    const step = (experience + 1) * stepsEach;
    const met = new Set(tasks.slice(0, experience + 1));
    return [
      { type: "boundary", step: step - stepsEach, experience, task, examples: 100, classes, steps: stepsEach },
      { type: "learned", step, experience, seconds: 0 },
      ...row
        .map((accuracy, on) => evaluated("experience", experience, on, accuracy))
        .filter((event) => options.evaluate !== "seen" || (event.type === "evaluated" && met.has(event.on))),
    ];
  });
  return [started, ...initial, ...experiences, { type: "finished", step: rows * stepsEach, seconds: 0 }];
}

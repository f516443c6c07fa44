/** The accuracy matrix as the formulas read it: a cell that was never measured makes the whole quantity undefined, and says which. */
import type { TrainEvent } from "../../train/events.ts";
import { type AccuracyMatrix, accuracyMatrix } from "../accuracy-matrix.ts";
import { type Measured, notDefined } from "../metric.ts";

/** The cells of an accuracy matrix; reading one that is missing ends the measurement with the reason. */
export interface Cells {
  readonly matrix: AccuracyMatrix;
  /** The last row. */
  readonly last: number;
  /** The accuracy on a task after a row. */
  at(row: number, task: number): number;
  /** The accuracy on a task before any training. */
  before(task: number): number;
  /** The row at which a task was met: after its first experience, which may be a piece of it. */
  met(task: number): number;
  /** The row right after a task was learned: at the end of its first visit. */
  learned(task: number): number;
  /** The row right after a task was learned most recently, seen from a row: at the end of its last visit until then. */
  lastLearned(row: number, task: number): number;
  /** The rows at which a visit to a task ended, in ascending order: what a matrix over tasks, and not over pieces of them, is made of. */
  readonly ends: readonly number[];
  /** The ends of visits to other tasks, after a task was learned: where it can have been forgotten. */
  after(task: number): number[];
  /** The tasks that had been trained by a row, the last row unless said otherwise. */
  seen(row?: number): number[];
  /** The tasks that had been learned before another, which is the last: those that can have been forgotten. */
  earlier(): number[];
}

class Missing extends Error {}

/** Ends a measurement within `fromCells` and says why. */
export function undefinedBecause(why: string): never {
  throw new Missing(why);
}

/** Measures a quantity on the accuracy matrix of a log. */
export function fromCells(events: Iterable<TrainEvent>, measure: (cells: Cells) => number): Measured {
  const matrix = accuracyMatrix(events);
  try {
    if (matrix.values.length === 0) undefinedBecause("nothing was evaluated after an experience");
    const value = measure(cellsOf(matrix));
    return Number.isFinite(value) ? { value } : notDefined("an accuracy in the log is not a number");
  } catch (error) {
    if (error instanceof Missing) return notDefined(error.message);
    throw error;
  }
}

function cellsOf(matrix: AccuracyMatrix): Cells {
  const last = matrix.values.length - 1;
  const { visits } = matrix;
  const met = (task: number): number => matrix.learnedAt[task] ?? -1;
  const ends = [...new Set([...visits.map(({ row }) => row), last])].sort((a, b) => a - b);
  const visited = new Map<number, Set<number>>(); // the tasks whose visit ended at a row
  for (const { task, row } of visits) visited.set(row, (visited.get(row) ?? new Set()).add(task));
  const learned = (task: number): number => visits.find((visit) => visit.task === task)?.row ?? -1;
  const lastLearned = (row: number, task: number): number =>
    visits.findLast((visit) => visit.task === task && visit.row <= row)?.row ?? -1;
  const seen = (row = last): number[] =>
    matrix.learnedAt.flatMap((first, task) => (first >= 0 && first <= row ? [task] : []));
  return {
    matrix,
    last,
    at: (row, task) => {
      const value = matrix.values[row]?.[task] ?? Number.NaN;
      if (Number.isNaN(value)) {
        undefinedBecause(`task ${task} was not evaluated after experience ${matrix.experiences[row] ?? row}`);
      }
      return value;
    },
    before: (task) => {
      const value = matrix.initial[task] ?? Number.NaN;
      if (Number.isNaN(value)) undefinedBecause(`task ${task} was not evaluated before training`);
      return value;
    },
    met,
    learned,
    lastLearned,
    ends,
    after: (task) => ends.filter((row) => row > learned(task) && !visited.get(row)?.has(task)),
    seen,
    earlier: () => {
      const tasks = seen(last - 1).filter((task) => lastLearned(last, task) < last);
      return tasks.length > 0 ? tasks : undefinedBecause("only one task has been learned");
    },
  };
}

/** The evaluation of one task as an event of the run. */
import { type Examples, select } from "../data/dataset.ts";
import type { Stream } from "../streams/stream.ts";
import type { Columns } from "./columns.ts";
import type { Evaluator, Frozen } from "./evaluate.ts";
import type { Evaluated } from "./events.ts";
import type { Cursor } from "./state.ts";

/** Evaluates a task at a point of a run; `limit` is the most test examples, spread evenly over the task's. */
export function scored(
  judge: Evaluator,
  frozen: Frozen,
  stream: Stream,
  columns: Columns,
  cursor: Cursor,
  task: number,
  limit: number,
): Evaluated {
  const { examples, classes } = stream.test(task);
  const ruled = stream.head === "multi" ? "aware" : "agnostic";
  const told = stream.facts.includes("task") ? task : null;
  const table = spread(examples, limit);
  const score = judge.score(frozen, table, columns.aware(classes), columns.agnostic(), ruled, told);
  return {
    type: "evaluated",
    step: cursor.step,
    at: cursor.at,
    after: cursor.at === "start" ? -1 : cursor.experience,
    on: task,
    accuracy: ruled === "aware" ? score.taskAware : score.taskAgnostic,
    ...score,
  };
}

/** So many examples of a table, evenly spaced: one that is sorted by class gives some of each. */
export function spread(examples: Examples, count: number): Examples {
  if (count >= examples.length) return examples;
  const at = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * examples.length) / count));
  const labels = Int32Array.from(at, (row) => examples.labels[row]!);
  return select(examples, at, labels);
}

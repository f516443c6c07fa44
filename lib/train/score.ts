/** The evaluation of one task as an event of the run. */
import { type Examples, select, sizeOf, table } from "../data/dataset.ts";
import type { Stream } from "../streams/stream.ts";
import type { Columns } from "./columns.ts";
import type { Evaluator, Frozen } from "./evaluate.ts";
import type { Evaluated } from "./events.ts";
import { targetScore } from "./objective.ts";
import type { Cursor } from "./state.ts";

/** What a task is evaluated on. */
export type Test = ReturnType<Stream["test"]>;

/** Evaluates a task at a point of a run. */
export function scored(
  judge: Evaluator,
  frozen: Frozen,
  stream: Stream,
  columns: Columns,
  cursor: Cursor,
  task: number,
  { examples, classes }: Test,
): Evaluated {
  const ruled = stream.head === "multi" ? "aware" : "agnostic";
  const told = stream.facts.includes("task") ? task : null;
  const { target } = stream;
  const score =
    target === "numbers" || target === "labels"
      ? targetScore(target, judge.outputs(frozen, examples, told).logits, examples, classes)
      : judge.score(frozen, examples, columns.aware(classes), columns.agnostic(), ruled, told);
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

/**
 * So many test examples of each task, evenly spaced: a table that is sorted by class gives some of each. They are read once and kept, so
 * that looking again costs nothing but the pass through the network.
 */
export function samples(stream: Stream, count: number): (task: number) => Test {
  const kept = new Map<number, Test>();
  return (task) => {
    const found = kept.get(task);
    if (found !== undefined) return found;
    const { examples, classes } = stream.test(task);
    const made = { examples: count === 0 ? examples : copied(spread(examples, count)), classes };
    kept.set(task, made);
    return made;
  };
}

/** So many examples of a table, evenly spaced; all when there are no more. */
export function spread(examples: Examples, count: number): Examples {
  if (count >= examples.length) return examples;
  const at = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * examples.length) / count));
  return select(examples, at);
}

function copied(examples: Examples): Examples {
  const size = examples.length * sizeOf(examples.shape);
  const raw = examples.bytes ? new Uint8Array(size) : new Float32Array(size);
  const all = Uint32Array.from({ length: examples.length }, (_, i) => i);
  examples.read(all, raw);
  return { ...examples, read: table(raw, examples.labels, examples.shape, examples.scale).read };
}

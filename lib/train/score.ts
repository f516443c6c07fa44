/** The evaluation of one task as an event of the run. */
import { type Examples, select, sizeOf, table } from "../data/dataset.ts";
import type { Rng } from "../engine/index.ts";
import type { Stream } from "../streams/stream.ts";
import { logitsAt, type TestTime } from "./adapt.ts";
import type { Columns } from "./columns.ts";
import type { Evaluator, Frozen, Score } from "./evaluate.ts";
import type { Evaluated, PartScore } from "./events.ts";
import { classScore, targetScore } from "./objective.ts";
import type { Asking } from "./parts/asking.ts";
import { rowsWhere } from "./parts/forgetting.ts";
import type { Cursor } from "./state.ts";

/** What a task is evaluated on. */
export type Test = ReturnType<Stream["test"]>;

/** Evaluates a task at a point of a run; `time` is its test time where a strategy learns then. */
export function* scored(
  judge: Evaluator,
  frozen: Frozen,
  stream: Stream,
  columns: Columns,
  cursor: Cursor,
  task: number,
  { examples, classes }: Test,
  time?: { readonly test: TestTime; readonly rng: Rng },
): Asking<Evaluated> {
  const ruled = stream.head === "multi" ? "aware" : "agnostic";
  const told = stream.facts.includes("task") ? task : null;
  const { target } = stream;
  const [aware, agnostic] = [columns.aware(classes), columns.agnostic()];
  const given = time?.test.predict(frozen, examples, told, ruled === "aware" ? aware : agnostic, time.rng);
  const score = function* (at: Uint32Array | null): Asking<Score> {
    const of = at === null ? examples : select(examples, at);
    if (given === undefined && target === "class") return yield* judge.score(frozen, of, aware, agnostic, ruled, told);
    const logits =
      given === undefined
        ? yield* judge.predictions(frozen, of, told)
        : logitsAt(given.logits, at ?? [...examples.labels.keys()], examples.length);
    return target === "class"
      ? classScore(logits, of.labels, aware.data, agnostic?.data ?? null, ruled)
      : targetScore(target, logits, of, classes);
  };
  const own = (of: Score): number => (ruled === "aware" ? of.taskAware : of.taskAgnostic);
  const gone = rowsWhere(examples, (label) => columns.forgotten.has(label));
  const left = gone.length === 0 ? null : rowsWhere(examples, (label) => !columns.forgotten.has(label));
  const forgotten = gone.length === 0 ? null : yield* score(gone);
  const retained = gone.length > 0 && left?.length === 0 ? null : yield* score(left);
  const all = pooled([forgotten, retained].filter((part) => part !== null));
  if (Number.isNaN(all.loss))
    throw new RangeError(
      `evaluate: a finite loss is required, got NaN on task ${task} after step ${cursor.step}; lower the learning rate, or look for NaN among the test examples`,
    );
  const online: Score[] = [];
  for (const at of given?.batches ?? []) online.push(yield* score(at));
  const part = (of: Score): PartScore => ({ examples: of.examples, accuracy: own(of) });
  return {
    type: "evaluated",
    step: cursor.step,
    at: cursor.at,
    after: cursor.at === "start" ? -1 : cursor.experience,
    on: task,
    accuracy: own(all),
    ...all,
    ...(forgotten && { forgotten: part(forgotten) }),
    ...(forgotten && retained && { retained: part(retained) }),
    ...(given && { online: online.map(part) }),
  };
}

/** Scores of two parts of a table as that of the whole. */
function pooled(parts: readonly Score[]): Score {
  if (parts.length === 1) return parts[0]!;
  const examples = parts.reduce((sum, part) => sum + part.examples, 0);
  const mean = (pick: (of: Score) => number): number =>
    parts.reduce((sum, part) => sum + pick(part) * part.examples, 0) / examples;
  return {
    examples,
    taskAware: mean((of) => of.taskAware),
    taskAgnostic: mean((of) => of.taskAgnostic),
    loss: mean((of) => of.loss),
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

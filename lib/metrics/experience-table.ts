/** The experiences of a stream as a table. */
import { summarise } from "../streams/audit.ts";
import { moved } from "../streams/parts/moments.ts";
import type { Stream } from "../streams/stream.ts";
import { type DataFrame, type FrameValue, frame } from "./frame.ts";

/** What can be said of the table of a stream. */
export interface ExperienceTableOptions {
  /** At most so many experiences, at even distances; default 60. Of an endless stream the first. */
  readonly experiences?: number;
  /** Examples in a step, which gives the steps of one pass; default 10, as in training. */
  readonly batch?: number;
  /** Training examples of each experience that its drift is judged by; default 500; 0 leaves the drift out. */
  readonly examples?: number;
}

/**
 * The experiences of a stream as a table before any training: the task, its classes and how many of them are new, the examples, the steps of
 * one pass (within the stream's budget), and the drift: how far the mean input is from the first experience's, in deviations. Columns that
 * are the same nothing everywhere are left out: examples held back, examples without a label, the classes to forget, the client.
 *
 * @example
 * ```ts
 * import { classes, digits, experienceTable, operators } from "thalweg";
 * experienceTable(operators.split(5)(classes(digits()))).rows()[1]; // { experience: 1, task: 1, classes: "2, 3", new: 2, train: 286, test: 74, steps: 29, drift: 0.3… }
 * ```
 */
export function experienceTable(
  stream: Stream,
  { experiences = 60, batch = 10, examples = 500 }: ExperienceTableOptions = {},
): DataFrame {
  const found = summarise(stream, experiences);
  const at = found.map(({ experience }) => experience);
  const drift = examples > 0 ? moved(stream, at, examples) : null;
  const met = new Set<number>();
  const names = (columns: readonly number[]): string => {
    const all = columns.map((column) => stream.classes[column] ?? `class ${column}`);
    return all.length > 8 ? `${all.slice(0, 6).join(", ")}, … (${all.length})` : all.join(", ");
  };
  const rows = found.map((of, i) => {
    const { forget, client, oracle } = stream.experience(of.experience);
    const fresh = of.classes.filter((column) => !met.has(column));
    for (const column of fresh) met.add(column);
    const steps = Math.ceil((oracle?.left ?? of.train) / batch);
    const row: Record<string, FrameValue> = {
      experience: of.experience,
      task: of.task,
      classes: names(of.classes),
      new: fresh.length,
      train: of.train,
      validation: of.validation,
      unlabelled: stream.target === "class" ? (of.counts.get(-1) ?? 0) : 0,
      askable: oracle?.left ?? 0,
      test: of.test,
      steps: Math.min(steps, Math.floor(stream.budget?.steps ?? Infinity)),
      ...(drift && { drift: drift[i]!.inputs }),
      forget: names(forget ?? []),
      client: client ?? null,
    };
    return row;
  });
  const empty = (name: string): boolean => rows.every((row) => [0, "", null].includes(row[name] as null));
  const always = new Set(["experience", "task", "classes", "new", "train", "test", "steps", "drift"]);
  const shown = Object.keys(rows[0]!).filter((name) => always.has(name) || !empty(name));
  return frame(rows.map((row) => Object.fromEntries(shown.map((name) => [name, row[name]]))));
}

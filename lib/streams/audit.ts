/** Looks at a stream before any training: what comes when, and whether anything comes that should not. */
import { type Examples, type Raw, sizeOf } from "../data/dataset.ts";
import { countsIn } from "./parts/pool.ts";
import type { Stream } from "./stream.ts";

/** One experience in numbers. */
export interface ExperienceSummary {
  readonly experience: number;
  readonly task: number;
  /** The output columns of the task. */
  readonly classes: readonly number[];
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  /** Training examples of each class that occurs; −1 for those without a label. */
  readonly counts: ReadonlyMap<number, number>;
}

/**
 * The experiences of a stream in numbers; of a long stream `most` of them at even distances, of an endless one the first.
 *
 * @example
 * ```ts
 * import { classes, digits, operators, summarise } from "thalweg";
 * summarise(operators.split(5)(classes(digits())))[0]?.train; // 289
 * ```
 */
export function summarise(stream: Stream, most = 60): readonly ExperienceSummary[] {
  const shown = Math.min(stream.length, most);
  return Array.from({ length: shown }, (_, i) => {
    const at = stream.length === Infinity ? i : Math.floor((i * stream.length) / shown);
    const e = stream.experience(at);
    return {
      experience: at,
      task: e.task,
      classes: e.classes,
      train: e.train.length,
      validation: e.validation?.length ?? 0,
      test: e.test.length,
      counts: countsIn(e.train),
    };
  });
}

/** What `audit` can be told. */
export interface AuditOptions {
  /** At most so many experiences are looked at; default 20. */
  readonly experiences?: number;
  /** At most so many examples of each table are looked at; default 5000. */
  readonly examples?: number;
}

/**
 * What is wrong with a stream, in sentences: test examples that are trained on, examples that come twice in one experience, classes that
 * are tested but never seen, examples with a label that no column has. Empty where nothing was found.
 *
 * Examples are compared by their numbers, in the first experiences and examples alone where there are many. Streams that ask for the recall
 * of facts, or have few inputs (`edits`, `regression`), are not warned of for what comes again.
 *
 * @example
 * ```ts
 * import { audit, classes, digits, operators } from "thalweg";
 * audit(operators.split(5)(classes(digits()))); // []
 * ```
 */
export function audit(stream: Stream, { experiences = 20, examples = 5000 }: AuditOptions = {}): readonly string[] {
  const found: string[] = [];
  const trained = new Map<string, number>(); // where an example is trained on
  const tests = new Map<number, Set<string>>();
  const seen = new Set<number>();
  const tested = new Set<number>();
  const count = Math.min(stream.length, experiences);
  for (let i = 0; i < count; i++) {
    const e = stream.experience(i);
    const own = keys(e.train, examples);
    const twice = own.length - new Set(own).size;
    if (twice > 0 && !stream.recall)
      found.push(`experience ${i} holds ${twice} of its ${own.length} training examples more than once`);
    for (const key of own) if (!trained.has(key)) trained.set(key, i);
    if (!tests.has(e.task)) tests.set(e.task, new Set(keys(e.test, examples)));
    for (const label of new Set(e.train.labels)) if (label >= 0) seen.add(label);
    for (const label of new Set(e.test.labels)) if (label >= 0) tested.add(label);
    const beyond =
      stream.classes.length > 0 ? e.train.labels.find((label) => label >= stream.classes.length) : undefined;
    if (beyond !== undefined)
      found.push(`experience ${i} has an example labelled ${beyond}, and there are ${stream.classes.length} columns`);
  }
  for (const [task, rows] of stream.recall ? [] : tests) {
    const leaks = [...rows].filter((key) => trained.has(key));
    if (leaks.length > 0)
      found.push(
        `${leaks.length} of ${rows.size} test examples of task ${task} are trained on, first in experience ${trained.get(leaks[0]!)}`,
      );
  }
  if (count === stream.length && stream.facts.includes("labels")) {
    const never = [...tested].filter((label) => !seen.has(label)).map((label) => stream.classes[label] ?? label);
    if (never.length > 0) found.push(`tested but never seen: ${never.join(", ")}`);
  }
  return found;
}

/** A fingerprint of each of the first examples: 53 bits of its numbers (two rounds of FNV-1a with unlike seeds). */
function keys(of: Examples, most: number): string[] {
  const size = sizeOf(of.shape);
  const count = Math.min(of.length, most);
  const at = Uint32Array.from({ length: count }, (_, i) => i);
  const raw: Raw = of.bytes ? new Uint8Array(count * size) : new Float32Array(count * size);
  of.read(at, raw);
  const bytes = new Uint8Array(raw.buffer);
  const width = bytes.length / Math.max(1, count);
  return Array.from({ length: count }, (_, i) => {
    let [a, b] = [0x811c9dc5, 0x1234567];
    for (let j = i * width; j < (i + 1) * width; j++) {
      a = Math.imul(a ^ bytes[j]!, 0x01000193);
      b = Math.imul(b ^ bytes[j]!, 0x85ebca6b);
      b ^= b >>> 13;
    }
    return `${a >>> 0}.${b >>> 0}`;
  });
}

/** A part of a stream. */

import { operator } from "../operator.ts";
import { picked } from "../parts/picked.ts";
import type { Changed } from "../stream.ts";

/**
 * The experiences from `from` up to, and without, `to`; negative positions count from the end, as in arrays. Columns stay as they are;
 * only the tasks that are met are evaluated, numbered anew.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { slice, split } = operators;
 * slice(0, 2)(split(5)(classes(digits()))).length; // 2
 * ```
 */
export const slice = operator("slice", (from: number, to?: number) => (stream): Changed => {
  for (const end of [from, to ?? 0])
    if (!Number.isInteger(end)) throw new RangeError(`slice: whole numbers are required, got ${end}`);
  const at = (end: number): number => (end < 0 ? Math.max(0, stream.length + end) : Math.min(end, stream.length));
  const [first, last] = [at(from), at(to ?? stream.length)];
  if (first === Infinity) throw new RangeError("slice: a stream that ends is required to count from its end");
  if (last !== Infinity) {
    const count = Math.max(0, last - first);
    return picked(
      stream,
      Array.from({ length: count }, (_, i) => first + i),
    );
  }
  return {
    length: Infinity,
    countOf: (index) => stream.countOf(first + index),
    taskOf: (index) => stream.taskOf(first + index),
    classesOf: (task) => stream.classesOf(task),
    test: (task) => stream.test(task),
    tasks: stream.tasks,
    experience: (index) => ({ ...stream.experience(first + index), index }),
  };
});

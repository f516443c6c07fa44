/** Plays one stream after another. */
import { operator } from "../operator.ts";
import { fitted, type PairOptions } from "../parts/pair.ts";
import type { Changed, Stream } from "../stream.ts";

export type { PairOptions } from "../parts/pair.ts";

/**
 * The experiences of this stream, then those of another of the same kind and shape. Tasks of the second are numbered after those of the
 * first. Columns are shared where the classes have the same names, else those of the second come after those of the first;
 * `{ columns: "shared" | "own" }` decides it.
 *
 * @example
 * ```ts
 * import { digits, operators, permuted, rotated } from "thalweg";
 * operators.concat(rotated(digits(), [0, 90]))(permuted(digits(), 3)).length; // 5
 * ```
 */
export const concat = operator("concat", (other: Stream, options: PairOptions = {}) => (stream): Changed => {
  if (stream.length === Infinity) throw new RangeError("concat: a first stream that ends is required; slice it first");
  const { classes, parts } = fitted("concat", stream, other, options);
  const [n, tasks] = [stream.length, stream.tasks];
  return {
    classes,
    length: n + other.length,
    tasks: tasks + other.tasks,
    countOf: (i) => (i < n ? stream.countOf(i) : other.countOf(i - n)),
    taskOf: (i) => (i < n ? stream.taskOf(i) : tasks + other.taskOf(i - n)),
    classesOf: (task) => (task < tasks ? stream.classesOf(task) : parts.classesOf!(task - tasks)),
    test: (task) => (task < tasks ? stream.test(task) : parts.test!(task - tasks)),
    experience(index) {
      if (index < n) return stream.experience(index);
      const e = parts.experience(index - n);
      return { ...e, index, task: tasks + e.task };
    },
  };
});

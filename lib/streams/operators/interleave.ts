/** Plays two streams in turn. */
import { operator } from "../operator.ts";
import { fitted, type PairOptions } from "../parts/pair.ts";
import type { Changed, Stream } from "../stream.ts";

/**
 * An experience of this stream, one of another, and so on in turn; when one ends, the rest of the other follows. Tasks of the second are
 * numbered after those of the first (where both never end, even tasks are the first's and odd ones the second's); columns as in `concat`.
 *
 * @example
 * ```ts
 * import { digits, operators, permuted, rotated } from "thalweg";
 * operators.interleave(rotated(digits(), [0, 90]))(permuted(digits(), 3)).length; // 5
 * ```
 */
export const interleave = operator("interleave", (other: Stream, options: PairOptions = {}) => (stream): Changed => {
  const { classes, parts } = fitted("interleave", stream, other, options);
  const endless = stream.tasks === Infinity;
  if (endless !== (other.tasks === Infinity))
    throw new RangeError("interleave: two streams that end, or two that do not, are required; slice the endless one");
  const pairs = Math.min(stream.length, other.length);
  /** Whose turn it is, and the position there. */
  const turn = (i: number): readonly [second: boolean, at: number] => {
    if (i < 2 * pairs) return [i % 2 === 1, i >> 1];
    return [other.length > stream.length, i - pairs];
  };
  const ownTask = (task: number): readonly [second: boolean, task: number] => {
    if (endless) return [task % 2 === 1, task >> 1];
    return task < stream.tasks ? [false, task] : [true, task - stream.tasks];
  };
  const number = (second: boolean, task: number): number => {
    if (endless) return 2 * task + (second ? 1 : 0);
    return second ? stream.tasks + task : task;
  };
  return {
    classes,
    length: stream.length + other.length,
    tasks: stream.tasks + other.tasks,
    countOf(i) {
      const [second, at] = turn(i);
      return (second ? other : stream).countOf(at);
    },
    taskOf(i) {
      const [second, at] = turn(i);
      return number(second, (second ? other : stream).taskOf(at));
    },
    classesOf(task) {
      const [second, own] = ownTask(task);
      return second ? parts.classesOf!(own) : stream.classesOf(own);
    },
    test(task) {
      const [second, own] = ownTask(task);
      return second ? parts.test!(own) : stream.test(own);
    },
    experience(index) {
      const [second, at] = turn(index);
      const e = second ? parts.experience(at) : stream.experience(at);
      return { ...e, index, task: number(second, e.task) };
    },
  };
});

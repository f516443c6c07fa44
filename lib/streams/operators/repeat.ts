/** Plays a stream again and again. */
import { operator } from "../operator.ts";
import { needLength } from "../parts/domains.ts";
import { sameTasks } from "../parts/tables.ts";

/**
 * The whole stream, `times` times over (`Infinity` for ever). A task that is met again is the same column of the accuracy matrix.
 *
 * @example
 * ```ts
 * import { digits, operators, rotated } from "thalweg";
 * const stream = operators.repeat(3)(rotated(digits(), [0, 90]));
 * [stream.length, stream.tasks]; // [6, 2]
 * ```
 */
export const repeat = operator("repeat", (times: number) => {
  needLength("repeat", times);
  return (stream) => {
    if (stream.length === Infinity) throw new RangeError("repeat: a stream that ends is required; slice it first");
    const once = (index: number): number => index % stream.length;
    return {
      ...sameTasks(stream),
      length: stream.length * times,
      countOf: (index) => stream.countOf(once(index)),
      taskOf: (index) => stream.taskOf(once(index)),
      experience: (index) => ({ ...stream.experience(once(index)), index }),
    };
  };
});

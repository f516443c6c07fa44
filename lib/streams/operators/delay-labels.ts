/** Lets labels arrive late. */
import { joined, relabelled } from "../../data/dataset.ts";
import { needWhole } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { withPresent } from "../parts/pool.ts";
import { sameTasks } from "../parts/tables.ts";
import type { Changed } from "../stream.ts";

/**
 * Labels arrive `by` experiences after their examples: an experience holds its own examples without labels (−1), and after them those of
 * the experience `by` before, now with labels. At the end come `by` experiences that bring the last labels alone.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { delayLabels, split } = operators;
 * delayLabels(1)(split(5)(classes(digits()))).length; // 6
 * ```
 */
export const delayLabels = operator(
  "delayLabels",
  (by: number) => {
    needWhole("delayLabels", "by", by);
    return (stream): Changed => {
      const now = (index: number): boolean => index < stream.length;
      const late = (index: number): boolean => index >= by;
      return {
        ...sameTasks(stream),
        length: stream.length + by,
        countOf: (index) => (now(index) ? stream.countOf(index) : 0) + (late(index) ? stream.countOf(index - by) : 0),
        taskOf: (index) => stream.taskOf(now(index) ? index : index - by),
        experience(index) {
          const old = late(index) ? stream.experience(index - by) : undefined;
          if (!now(index)) return { ...old!, index };
          const e = stream.experience(index);
          const bare = relabelled(e.train, new Int32Array(e.train.length).fill(-1));
          const train = old === undefined ? bare : joined([bare, old.train]);
          return { ...e, train, classes: withPresent(e.classes, train) };
        },
      };
    };
  },
  { drops: ["labels"], targets: ["class"] },
);

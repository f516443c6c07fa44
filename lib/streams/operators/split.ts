/** Splits every experience by its classes. */

import { operator } from "../operator.ts";
import { countOf, type Groups, groupsOf } from "../parts/groups.ts";
import { withTables } from "../parts/tables.ts";
import { type Changed, type Experience, ofClasses } from "../stream.ts";

export type { Groups } from "../parts/groups.ts";

/**
 * Splits each experience into several by its classes, in the order of the columns: `split(5)` into five of one size, `split([4, 3, 3])`
 * into these sizes, `split([[1, 4], [5, 7]])` into these classes, by column or by name (those not named are left out), and
 * `split({ first: 50, then: 10 })` into a base and increments, `split({ parts: 5, seed: "run" })` into five of sizes drawn at random (each
 * has one class, every other class goes to any of them). Labels stay as they are; each part is a task of its own.
 *
 * @throws RangeError when the classes do not divide into the groups, or a class is named twice or does not exist.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const stream = operators.split({ first: 4, then: 2 })(classes(digits()));
 * [...stream].map((e) => e.classes.length); // [4, 2, 2, 2]
 * ```
 */
export const split = operator(
  "split",
  (groups: Groups) => (stream) => {
    const counted = countOf("split", groups, stream);
    const length = stream.length * counted;
    const known = new WeakMap<readonly number[], readonly (readonly number[])[]>();
    const groupOf = (task: number): readonly number[] => {
      const classes = stream.classesOf(Math.floor(task / counted));
      const of = known.get(classes) ?? groupsOf("split", groups, classes, stream);
      known.set(classes, of);
      return of[task % counted]!;
    };
    // with a group number per experience, a task met again is split the same way again
    const taskOf = (index: number) => stream.taskOf(Math.floor(index / counted)) * counted + (index % counted);
    if (stream.tasks !== Infinity) for (let task = 0; task < stream.tasks; task++) groupOf(task * counted);
    return {
      length,
      tasks: stream.tasks * counted,
      taskOf,
      classesOf: groupOf,
      experience(index): Experience {
        const e = stream.experience(Math.floor(index / counted));
        const task = taskOf(index);
        const classes = groupOf(task);
        return { ...withTables(e, (of) => ofClasses(of, classes)), index, task, classes };
      },
      test(task) {
        const classes = groupOf(task);
        const { examples } = stream.test(Math.floor(task / counted));
        return { examples: ofClasses(examples, classes), classes };
      },
    } satisfies Changed;
  },
  { needs: ["labels", "boundary"], targets: ["class", "labels"] },
);

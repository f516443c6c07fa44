/** Asks the learner to forget classes. */

import { operator } from "../operator.ts";
import { columnsOf } from "../parts/order.ts";
import { sameTasks } from "../parts/tables.ts";
import { type Changed, ofClasses } from "../stream.ts";

/**
 * A deletion request: when the experience at position `at` arrives, the learner is asked to forget the classes (`experience.forget` has
 * their columns), and from then on none of their examples come. Several requests can follow one another. Strategies drop what they hold of
 * the classes. What is evaluated stays the same, so that it shows what is really forgotten: the event `evaluated` has the accuracy on
 * forgotten and on retained classes apart.
 *
 * @throws RangeError when a class or a position does not exist; and, when it is made, for an experience that has no other classes.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { forget, split } = operators;
 * forget(["0"], { at: 3 })(split(5)(classes(digits()))).experience(3).forget; // [0]
 * ```
 */
export const forget = operator(
  "forget",
  (which: readonly (number | string)[], options: { readonly at: number }) =>
    (stream): Changed => {
      const { at } = options;
      if (!Number.isInteger(at) || at < 0 || at >= stream.length)
        throw new RangeError(`forget: a position from 0 to ${stream.length - 1} is required, got ${at}`);
      const columns = columnsOf("forget", which, stream.classes);
      const unknown = columns.indexOf(-1);
      if (unknown >= 0)
        throw new RangeError(`forget: one of ${stream.classes.length} classes is required, got ${which[unknown]}`);
      const { countOf: _, ...tasks } = sameTasks(stream);
      return {
        ...tasks,
        experience(index) {
          const e = stream.experience(index);
          if (index < at) return e;
          const present = [...new Set(e.train.labels)];
          const train = present.some((label) => columns.includes(label))
            ? ofClasses(
                e.train,
                present.filter((label) => !columns.includes(label)),
              )
            : e.train;
          return index === at
            ? { ...e, train, forget: [...new Set([...(e.forget ?? []), ...columns])] }
            : { ...e, train };
        },
      };
    },
  { needs: ["labels"], targets: ["class"] },
);

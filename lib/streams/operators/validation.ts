/** Holds a share of the training examples back. */
import { joined, select } from "../../data/dataset.ts";
import { needShare, withDefaults } from "../../data/options.ts";
import { stratified } from "../../data/parts/stratified.ts";
import { rngOf } from "../parts/seed.ts";
import { type Changed, operator, type Seed } from "../stream.ts";

/**
 * Holds `share` of the training examples of each experience back as its validation examples, of every class alike (at least one of each
 * class that has two). What was held back before joins the training examples first.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { split, validation } = operators;
 * validation(0.1)(split(5)(classes(digits()))).experience(0).validation?.length; // 29
 * ```
 */
export const validation = operator("validation", (share: number, options: { readonly seed?: Seed } = {}) => {
  const { seed } = withDefaults<{ seed: Seed }>("validation", options, { seed: 0 });
  needShare("validation", "share", share, "open");
  const rng = rngOf(seed, "validation");
  return (stream): Changed => ({
    tasks: stream.tasks,
    taskOf: (index) => stream.taskOf(index),
    classesOf: (task) => stream.classesOf(task),
    test: (task) => stream.test(task),
    experience(index) {
      const e = stream.experience(index);
      const all = e.validation === null ? e.train : joined([e.train, e.validation]);
      const { drawn, rest } = stratified(all.labels, share, rng.at(index));
      return { ...e, train: select(all, rest), validation: select(all, drawn) };
    },
  });
});

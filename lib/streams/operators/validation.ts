/** Holds a share of the training examples back. */
import { joined, select } from "../../data/dataset.ts";
import { needShare, withDefaults } from "../../data/options.ts";
import { stratified } from "../../data/parts/stratified.ts";
import { operator } from "../operator.ts";
import { rngOf } from "../parts/seed.ts";
import { sameTasks } from "../parts/tables.ts";
import type { Changed, Experience, Seed, Stream } from "../stream.ts";

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
  const made = (stream: Stream, index: number): Experience => {
    const e = stream.experience(index);
    const all = e.validation === null ? e.train : joined([e.train, e.validation]);
    const { drawn, rest } = stratified(all.labels, share, rng.at(index));
    return { ...e, train: select(all, rest), validation: select(all, drawn) };
  };
  return (stream): Changed => ({
    ...sameTasks(stream),
    countOf: (index) => made(stream, index).train.length,
    experience: (index) => made(stream, index),
  });
});

/** Makes a long stream of random subsets of the classes, in which every class comes back now and then. */
import { select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import type { Rng } from "../../engine/random.ts";
import { operator } from "../operator.ts";
import { needLength } from "../parts/domains.ts";
import { oneExperience } from "../parts/one.ts";
import { rngOf } from "../parts/seed.ts";
import type { Seed } from "../stream.ts";

/** What `recur` can be told. */
export interface RecurOptions {
  /** Default 1000; `Infinity` for a stream that never ends. */
  readonly experiences?: number;
  /** Classes in an experience; default 2. */
  readonly classes?: number;
  /** At most so many training examples of each class in an experience, drawn anew each time; default all. */
  readonly perClass?: number;
  /** How unequal classes are: the i-th is drawn with a weight of `(i + 1)^−exponent`; default 0, all alike. */
  readonly exponent?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A long stream in which each experience holds a few classes, drawn at random without replacement: a class is there with probability
 * `classes / all`, and comes back after `all / classes` experiences in the mean. It goes on a stream of one experience; evaluated is one
 * task, all classes together. The learner is not told the task.
 *
 * SCoLe of Lesort et al., Challenging common assumptions about catastrophic forgetting, arXiv:2207.04543, section 3.
 *
 * Implements: P255 SCoLe knowledge accumulation
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.recur({ experiences: 100, classes: 2 })(classes(digits())).experience(57).classes.length; // 2
 * ```
 */
export const recur = operator(
  "recur",
  (options: RecurOptions = {}) => {
    const o = withDefaults<Required<RecurOptions>>("recur", options, {
      experiences: 1000,
      classes: 2,
      perClass: Infinity,
      exponent: 0,
      seed: 0,
    });
    needLength("recur", o.experiences);
    needWhole("recur", "classes", o.classes);
    if (o.perClass !== Infinity) needWhole("recur", "perClass", o.perClass);
    const rng = rngOf(o.seed, "recur");
    return (stream) => {
      const all = oneExperience("recur", stream);
      const columns = stream.classesOf(0);
      if (o.classes > columns.length)
        throw new RangeError(`recur: at most ${columns.length} classes are there for an experience, got ${o.classes}`);
      const weights = columns.map((_, i) => (i + 1) ** -o.exponent);
      const chosen = (index: number): number[] =>
        weighted(weights, o.classes, rng.at(index))
          .map((i) => columns[i]!)
          .sort((a, b) => a - b);
      return {
        length: o.experiences,
        tasks: 1,
        taskOf: () => 0,
        classesOf: () => columns,
        test: () => stream.test(0),
        countOf(index) {
          const groups = byClass(all().train.labels);
          return chosen(index).reduce((sum, c) => sum + Math.min(groups.get(c)?.length ?? 0, o.perClass), 0);
        },
        experience(index) {
          const { train, test } = all();
          const groups = byClass(train.labels);
          const classes = chosen(index);
          const rows = classes.flatMap((column) => {
            const group = groups.get(column) ?? new Uint32Array(0);
            if (group.length <= o.perClass) return [...group];
            return [...rng.at(index, "examples", column).sample(group.length, o.perClass)].map((i) => group[i]!);
          });
          return {
            index,
            task: 0,
            classes,
            train: select(train, Uint32Array.from(rows).sort()),
            validation: null,
            test,
          };
        },
      };
    };
  },
  { needs: ["labels"], drops: ["task"], targets: ["class", "labels"] },
);

/** `count` different positions drawn one after the other, each with a probability in proportion to its weight. */
function weighted(weights: readonly number[], count: number, rng: Rng): number[] {
  const left = weights.map((weight, i) => ({ weight, i }));
  return Array.from({ length: count }, () => {
    let at = rng.uniform() * left.reduce((sum, item) => sum + item.weight, 0);
    let place = left.findIndex((item) => (at -= item.weight) < 0);
    if (place < 0) place = left.length - 1;
    return left.splice(place, 1)[0]!.i;
  });
}

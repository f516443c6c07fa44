/** A base of well-known classes, then new classes with few examples each. */
import { needWhole, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import type { Seed, Stream } from "../stream.ts";
import { limit } from "./limit.ts";
import { split } from "./split.ts";

/** What `fewShot` is told. */
export interface FewShotOptions {
  /** Classes of the first experience, with all their examples. */
  readonly base: number;
  /** Classes of each later experience. */
  readonly ways: number;
  /** Training examples of each later class. */
  readonly shots: number;
  /** Draws the examples; default 0. */
  readonly seed?: Seed;
}

/**
 * Few-shot class-incremental learning: an experience of `base` classes with all examples, then experiences of `ways` classes with `shots`
 * training examples each. Test examples are not reduced.
 *
 * X. Tao et al., Few-shot class-incremental learning, arXiv:2004.10956, section 3.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const stream = operators.fewShot({ base: 6, ways: 2, shots: 5 })(classes(digits()));
 * stream.experience(1).train.length; // 10
 * ```
 */
export const fewShot = operator(
  "fewShot",
  (options: FewShotOptions) => {
    const o = withDefaults<Required<FewShotOptions>>("fewShot", options, { base: 0, ways: 0, shots: 0, seed: 0 });
    for (const key of ["base", "ways", "shots"] as const) needWhole("fewShot", key, o[key]);
    return (stream) => {
      // biome-ignore lint/suspicious/noThenProperty: the option is called so
      const whole = split({ first: o.base, then: o.ways })(stream as Stream<"labels" | "boundary">);
      const few = limit({ train: o.shots, perClass: true, seed: o.seed })(whole);
      const isBase = (index: number): boolean => whole.taskOf(index) % (whole.length / stream.length) === 0;
      return {
        length: whole.length,
        tasks: whole.tasks,
        countOf: (index) => (isBase(index) ? whole : few).countOf(index),
        taskOf: (index) => whole.taskOf(index),
        classesOf: (task) => whole.classesOf(task),
        test: (task) => whole.test(task),
        experience: (index) => (isBase(index) ? whole : few).experience(index),
      };
    };
  },
  { needs: ["labels", "boundary"], targets: ["class", "labels"] },
);

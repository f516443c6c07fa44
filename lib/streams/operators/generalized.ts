/** Experiences of changing size that mix old and new classes. */
import { select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import { operator } from "../operator.ts";
import { gamma } from "../parts/distributions.ts";
import { needLength } from "../parts/domains.ts";
import { oneExperience } from "../parts/one.ts";
import { rngOf } from "../parts/seed.ts";
import type { Seed } from "../stream.ts";

/** What `generalized` can be told. */
export interface GeneralizedOptions {
  /** Default 20; `Infinity` for a stream that never ends. */
  readonly experiences?: number;
  /** At most so many classes in an experience; default half of all. */
  readonly classes?: number;
  /** Training examples of an experience; default an even share of all. */
  readonly examples?: number;
  /** How unequal the classes of an experience are: the concentration of the Dirichlet distribution of their shares; default 1. */
  readonly concentration?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Generalized class-incremental learning: how many classes an experience has is drawn from 1 to `classes`, which ones from all (old ones
 * come back, new ones come in), and how many examples each has from a Dirichlet distribution. It goes on a stream of one experience;
 * evaluated is one task, all classes together. Examples are drawn anew for each experience, and so can come back too.
 *
 * F. Mi et al., Generalized class incremental learning, CVPR workshops 2020, section 3.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.generalized({ experiences: 8, examples: 100 })(classes(digits())).experience(3).train.length; // 100
 * ```
 */
export const generalized = operator(
  "generalized",
  (options: GeneralizedOptions = {}) => {
    const o = withDefaults<Required<GeneralizedOptions>>("generalized", options, {
      experiences: 20,
      classes: 0,
      examples: 0,
      concentration: 1,
      seed: 0,
    });
    needLength("generalized", o.experiences);
    const rng = rngOf(o.seed, "generalized");
    return (stream) => {
      const all = oneExperience("generalized", stream);
      const columns = stream.classesOf(0);
      const most = options.classes ?? Math.max(1, Math.floor(columns.length / 2));
      needWhole("generalized", "classes", most);
      if (most > columns.length)
        throw new RangeError(`generalized: at most ${columns.length} classes are there, got ${most}`);
      const examples = options.examples ?? Math.max(1, Math.floor(stream.countOf(0) / o.experiences));
      needWhole("generalized", "examples", examples);
      return {
        length: o.experiences,
        tasks: 1,
        taskOf: () => 0,
        countOf: () => examples,
        classesOf: () => columns,
        test: () => stream.test(0),
        experience(index) {
          const { train, test } = all();
          const draw = rng.at(index);
          const chosen = [...draw.sample(columns.length, 1 + draw.int(most))].map((i) => columns[i]!);
          const weights = chosen.map(() => gamma(o.concentration, draw));
          const groups = chosen.map((column) => byClass(train.labels).get(column) ?? new Uint32Array(0));
          const counts = new Uint32Array(chosen.length);
          const total = weights.reduce((a, b) => a + b, 0);
          for (let i = 0; i < examples; i++) {
            let at = draw.uniform() * total;
            let k = 0;
            while (k < weights.length - 1 && (at -= weights[k]!) >= 0) k++;
            counts[k]!++;
          }
          const rows = groups.flatMap((group, k) => {
            const whole = Math.floor(counts[k]! / group.length); // where a class has too few, all come several times
            const rest = draw.sample(group.length, counts[k]! - whole * group.length);
            return [...Array.from({ length: whole }, () => [...group]).flat(), ...[...rest].map((i) => group[i]!)];
          });
          const view = select(train, Uint32Array.from(rows).sort());
          const classes = [...new Set(view.labels)].sort((a, b) => a - b);
          return { index, task: 0, classes, train: view, validation: null, test };
        },
      };
    };
  },
  { needs: ["labels"], drops: ["task"], targets: ["class", "labels"] },
);

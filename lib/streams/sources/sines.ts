/** Waves to be fitted, one after another. */
import { table, targetTable } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { needLength } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { type Fact, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `sines` can be told. */
export interface SinesOptions {
  /** Training points of a task; default 10. */
  readonly examples?: number;
  /** Test points of a task; default 100. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A stream of `n` waves `y = a · sin(x − b)` with an amplitude from 0.1 to 5 and a phase from 0 to π, each a task of points from −5 to 5;
 * `Infinity` for a stream that never ends. What is asked for is one number.
 *
 * C. Finn, P. Abbeel, S. Levine, Model-agnostic meta-learning, arXiv:1703.03400, section 5.1.
 *
 * @example
 * ```ts
 * import { sines } from "thalweg";
 * sines(Infinity).experience(7).train.length; // 10
 * ```
 */
export const sines = source("sines", "none", function sines(n: number, options: SinesOptions = {}): Stream<
  "boundary" | "length",
  "vector"
> {
  const o = withDefaults<Required<SinesOptions>>("sines", options, { examples: 10, testExamples: 100, seed: 0 });
  needLength("sines", n);
  needWhole("sines", "examples", o.examples);
  needWhole("sines", "testExamples", o.testExamples);
  const rng = rngOf(o.seed, "sines");
  const points = (task: number, part: "train" | "test", count: number) => {
    const wave = rng.at("wave", task);
    const [amplitude, phase] = [0.1 + 4.9 * wave.uniform(), Math.PI * wave.uniform()];
    const draw = rng.at(part, task);
    const x = Float32Array.from({ length: count }, () => 10 * draw.uniform() - 5);
    const y = x.map((v) => amplitude * Math.sin(v - phase));
    return table(x, new Int32Array(count).fill(-1), [1], 1, targetTable(y, 1));
  };
  const facts: Fact[] = n === Infinity ? ["boundary"] : ["boundary", "length"];
  return makeStream<"boundary" | "length", "vector">({
    spec: { name: "sines", args: [n, options as never] },
    kind: "vector",
    shape: [1],
    facts: facts as ("boundary" | "length")[],
    target: "numbers",
    length: n,
    classes: ["y"],
    countOf: () => o.examples,
    classesOf: () => [0],
    test: (task) => ({ examples: points(task, "test", o.testExamples), classes: [0] }),
    experience: (index) => ({
      index,
      task: index,
      classes: [0],
      train: points(index, "train", o.examples),
      validation: null,
      test: points(index, "test", o.testExamples),
    }),
    ...waiting(o.seed, (seed) => sines(n, { ...options, seed })),
  });
});

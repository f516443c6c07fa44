/** A slowly changing regression problem that never ends. */
import { table, targetTable } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { needLength } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { type Fact, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `regression` can be told. */
export interface RegressionOptions {
  /** Bits of an example; default 20. */
  readonly inputs?: number;
  /** How many of them stay the same through an experience, one of which flips before the next; default 15. */
  readonly flipping?: number;
  /** Examples between two flips; default 10,000. */
  readonly examples?: number;
  /** Hidden units of the network that makes the targets; default 100. */
  readonly hidden?: number;
  /** How many of its inputs must fit for a unit to fire, as a share; default 0.7. */
  readonly threshold?: number;
  /** Test examples of an experience; default 1000. */
  readonly testExamples?: number;
  /** Default `Infinity`. */
  readonly experiences?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Slowly-changing regression: the target is the output of a fixed random network with one hidden layer of threshold units and weights ±1;
 * the inputs are bits, some of which stay the same through an experience, and one of these flips before the next. A learner that keeps its
 * plasticity keeps its error. Each experience is a task; targets are one number ("numbers").
 *
 * S. Dohare et al., Loss of plasticity in deep continual learning, Nature 2024, arXiv:2306.13812, section 3; the thresholds are
 * `threshold · (inputs + 1) − (inputs − Σ weights + bias) / 2`, as in the authors' program.
 *
 * @example
 * ```ts
 * import { regression } from "thalweg";
 * regression({ examples: 100 }).experience(3).train.targets?.width; // 1
 * ```
 */
export const regression = source("regression", "none", function regression(options: RegressionOptions = {}): Stream<
  "boundary" | "length",
  "vector"
> {
  const o = withDefaults<Required<RegressionOptions>>("regression", options, {
    inputs: 20,
    flipping: 15,
    examples: 10_000,
    hidden: 100,
    threshold: 0.7,
    testExamples: 1000,
    experiences: Infinity,
    seed: 0,
  });
  for (const key of ["inputs", "examples", "hidden", "testExamples"] as const) needWhole("regression", key, o[key]);
  needLength("regression", o.experiences);
  if (!(o.flipping >= 1 && o.flipping <= o.inputs))
    throw new RangeError(`regression: flipping must be from 1 to ${o.inputs}, got ${o.flipping}`);
  const rng = rngOf(o.seed, "regression");
  const target = network(o, rng.at("network"));
  const first = Uint8Array.from(
    { length: o.flipping },
    (
      (draw) => () =>
        draw.int(2)
    )(rng.at("bits")),
  );
  const flips = rng.at("flips");
  const path = [first]; // the slow bits of each experience so far
  const bitsOf = (index: number): Uint8Array => {
    while (path.length <= index) {
      const next = Uint8Array.from(path.at(-1)!);
      next[flips.at(path.length).int(o.flipping)]! ^= 1;
      path.push(next);
    }
    return path[index]!;
  };
  const made = (index: number, count: number, draw: Rng) => {
    const slow = bitsOf(index);
    const x = new Float32Array(count * o.inputs);
    const y = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const row = x.subarray(i * o.inputs, (i + 1) * o.inputs);
      row.set(slow);
      for (let j = o.flipping; j < o.inputs; j++) row[j] = draw.int(2);
      y[i] = target(row);
    }
    return table(x, new Int32Array(count).fill(-1), [o.inputs], 1, targetTable(y, 1));
  };
  const test = (task: number) => made(task, o.testExamples, rng.at("test", task));
  const facts: Fact[] = o.experiences === Infinity ? ["boundary"] : ["boundary", "length"];
  return makeStream<"boundary" | "length", "vector">({
    spec: { name: "regression", args: [options as never] },
    kind: "vector",
    shape: [o.inputs],
    facts: facts as ("boundary" | "length")[],
    target: "numbers",
    length: o.experiences,
    classes: ["y"],
    countOf: () => o.examples,
    classesOf: () => [0],
    test: (task) => ({ examples: test(task), classes: [0] }),
    experience: (index) => ({
      index,
      task: index,
      classes: [0],
      train: made(index, o.examples, rng.at("train", index)),
      validation: null,
      test: test(index),
    }),
    ...waiting(o.seed, (seed) => regression({ ...options, seed })),
  });
});

/** The fixed network: a unit fires when its weighted sum exceeds its threshold. */
function network({ inputs, hidden, threshold }: Required<RegressionOptions>, rng: Rng): (row: Float32Array) => number {
  const sign = () => 2 * rng.int(2) - 1;
  const weights = Int8Array.from({ length: hidden * inputs }, sign);
  const bias = Int8Array.from({ length: hidden }, sign);
  const out = Int8Array.from({ length: hidden }, sign);
  const outBias = sign();
  const least = Float64Array.from(bias, (b, h) => {
    let sum = 0;
    for (let j = 0; j < inputs; j++) sum += weights[h * inputs + j]!;
    return threshold * (inputs + 1) - (inputs - sum + b) / 2;
  });
  return (row) => {
    let y = outBias;
    for (let h = 0; h < hidden; h++) {
      let sum = bias[h]!;
      for (let j = 0; j < inputs; j++) sum += weights[h * inputs + j]! * row[j]!;
      if (sum > least[h]!) y += out[h]!;
    }
    return y;
  };
}

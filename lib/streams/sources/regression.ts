/** A slowly changing regression problem that never ends. */
import { table, targetTable } from "../../data/dataset.ts";
import { needOneOf, needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { needLength } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { type Fact, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `regression` can be told. */
export interface RegressionOptions {
  /** Bits of an example; default 20. */
  readonly inputs?: number;
  /** How many of them stay the same through an experience; default 15. */
  readonly flipping?: number;
  /** What becomes of these before the next: `"one"` (default) flips one of them, `"all"` draws all anew. */
  readonly flips?: "one" | "all";
  /** Examples of an experience; default 10,000. */
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
 * The paper flips one bit at a time, as is the default. The authors' program draws all slow bits anew unless it is told otherwise
 * (`flips: "all"`), and their published errors are reached in that way alone.
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
    flips: "one",
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
  needOneOf("regression", "flips", o.flips, ["one", "all"]);
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
      const draw = flips.at(path.length);
      if (o.flips === "one") next[draw.int(o.flipping)]! ^= 1;
      else for (let j = 0; j < o.flipping; j++) next[j] = draw.int(2);
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
    recall: true,
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

/**
 * The fixed network: a unit fires when its weighted sum exceeds its threshold. Bits and signs are packed into words of 32: the sum is the
 * number of set bits that meet a weight of 1, less the number that meet −1.
 */
function network({ inputs, hidden, threshold }: Required<RegressionOptions>, rng: Rng): (row: Float32Array) => number {
  const words = Math.ceil(inputs / 32);
  const sign = () => 2 * rng.int(2) - 1;
  const plus = new Int32Array(hidden * words); // a 1 where the weight is 1
  const sums = new Int32Array(hidden);
  for (let h = 0; h < hidden; h++) {
    for (let j = 0; j < inputs; j++) {
      const weight = sign();
      sums[h]! += weight;
      if (weight === 1) plus[h * words + (j >> 5)]! |= 1 << (j & 31);
    }
  }
  const bias = Int8Array.from({ length: hidden }, sign);
  const out = Int8Array.from({ length: hidden }, sign);
  const outBias = sign();
  const least = Float64Array.from(bias, (b, h) => threshold * (inputs + 1) - (inputs - sums[h]! + b) / 2 - b);
  const bits = new Int32Array(words);
  return (row) => {
    bits.fill(0);
    let set = 0;
    for (let j = 0; j < inputs; j++) {
      if (row[j] === 0) continue;
      bits[j >> 5]! |= 1 << (j & 31);
      set++;
    }
    let y = outBias;
    for (let h = 0; h < hidden; h++) {
      let met = 0;
      for (let w = 0; w < words; w++) met += ones(bits[w]! & plus[h * words + w]!);
      if (2 * met - set > least[h]!) y += out[h]!;
    }
    return y;
  };
}

/** How many bits of a word are set. */
function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** A plane between two classes that turns all the time. */
import { table } from "../../data/dataset.ts";
import { needShare, needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { needLength } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { type Fact, makeStream, type Seed, type Stream, source } from "../stream.ts";

/** What `hyperplane` can be told. */
export interface HyperplaneOptions {
  /** Default 10. */
  readonly dimensions?: number;
  /** How many of them drift; default 2. */
  readonly drifting?: number;
  /** By how much a drifting weight changes from one experience to the next; default 0.1. */
  readonly change?: number;
  /** How probable it is that a weight's drift turns round after an experience; default 0.1. */
  readonly reversal?: number;
  /** The share of training labels that are wrong; default 0.05. */
  readonly noise?: number;
  /** Training examples of an experience; default 1000. */
  readonly examples?: number;
  /** Test examples of an experience; default 500. */
  readonly testExamples?: number;
  /** Default 100; `Infinity` for a stream that never ends. */
  readonly experiences?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * A rotating hyperplane: numbers from 0 to 1, of which the class is whether `Σ w·x ≥ ½ Σ w`, where some of the weights drift. Each experience
 * is a task with a plane of its own, close to that of its neighbours.
 *
 * G. Hulten, L. Spencer, P. Domingos, Mining time-changing data streams, KDD 2001, section 4. Differs from the paper: weights change
 * between experiences, not between examples.
 *
 * @example
 * ```ts
 * import { hyperplane } from "thalweg";
 * hyperplane({ examples: 50 }).experience(99).train.length; // 50
 * ```
 */
export const hyperplane = source("hyperplane", "none", function hyperplane(options: HyperplaneOptions = {}): Stream<
  "boundary" | "labels" | "length",
  "vector"
> {
  const o = withDefaults<Required<HyperplaneOptions>>("hyperplane", options, {
    dimensions: 10,
    drifting: 2,
    change: 0.1,
    reversal: 0.1,
    noise: 0.05,
    examples: 1000,
    testExamples: 500,
    experiences: 100,
    seed: 0,
  });
  for (const key of ["dimensions", "examples", "testExamples"] as const) needWhole("hyperplane", key, o[key]);
  needLength("hyperplane", o.experiences);
  needShare("hyperplane", "reversal", o.reversal);
  needShare("hyperplane", "noise", o.noise);
  if (!(o.drifting >= 0 && o.drifting <= o.dimensions))
    throw new RangeError(`hyperplane: drifting must be from 0 to ${o.dimensions}, got ${o.drifting}`);
  const rng = rngOf(o.seed, "hyperplane");
  const weightsOf = planes(o, rng);
  const made = (index: number, count: number, draw: Rng, noise: number) => {
    const weights = weightsOf(index);
    const half = weights.reduce((a, b) => a + b, 0) / 2;
    const x = new Float32Array(count * o.dimensions);
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let j = 0; j < o.dimensions; j++) sum += weights[j]! * (x[i * o.dimensions + j] = draw.uniform());
      labels[i] = (sum >= half ? 1 : 0) ^ (draw.uniform() < noise ? 1 : 0);
    }
    return table(x, labels, [o.dimensions], 1);
  };
  const test = (task: number) => made(task, o.testExamples, rng.at("test", task), 0);
  const facts: Fact[] = o.experiences === Infinity ? ["boundary", "labels"] : ["boundary", "labels", "length"];
  return makeStream<"boundary" | "labels" | "length", "vector">({
    spec: { name: "hyperplane", args: [options as never] },
    kind: "vector",
    shape: [o.dimensions],
    facts: facts as ("boundary" | "labels" | "length")[],
    length: o.experiences,
    classes: ["below", "above"],
    countOf: () => o.examples,
    classesOf: () => [0, 1],
    test: (task) => ({ examples: test(task), classes: [0, 1] }),
    experience: (index) => ({
      index,
      task: index,
      classes: [0, 1],
      train: made(index, o.examples, rng.at("train", index), o.noise),
      validation: null,
      test: test(index),
    }),
    ...waiting(o.seed, (seed) => hyperplane({ ...options, seed })),
  });
});

/** The weights of each experience, worked out as far as they are asked for. */
function planes(o: Required<HyperplaneOptions>, rng: Rng): (index: number) => Float64Array {
  const draw = rng.at("weights");
  const path = [Float64Array.from({ length: o.dimensions }, () => draw.uniform())];
  const direction = new Int8Array(o.drifting).fill(1);
  return (index) => {
    while (path.length <= index) {
      const turn = rng.at("turn", path.length);
      const next = Float64Array.from(path.at(-1)!);
      for (let j = 0; j < o.drifting; j++) {
        next[j]! += direction[j]! * o.change;
        if (turn.uniform() < o.reversal) direction[j]! *= -1;
      }
      path.push(next);
    }
    return path[index]!;
  };
}

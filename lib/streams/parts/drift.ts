/** Streams whose examples come from a generator that changes from one concept to another. */
import { type Examples, table } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { makeStream, type Seed, type Stream } from "../stream.ts";
import { rngOf, waiting } from "./seed.ts";

/** What every generator of concept drift can be told. */
export interface DriftOptions {
  /** The concepts in the order in which they come; one that comes again is the same task again. */
  readonly concepts?: readonly number[];
  /** Experiences of each concept; default 1. */
  readonly each?: number;
  /** Training examples of an experience; default 1000. */
  readonly examples?: number;
  /** Test examples of a task; default 1000. */
  readonly testExamples?: number;
  /** "abrupt" (default): concepts change between two examples. "gradual": the share of the new one grows as a sigmoid. */
  readonly drift?: "abrupt" | "gradual";
  /** How many examples a gradual change takes; default as many as an experience has. */
  readonly width?: number;
  /** The share of labels that are wrong, in training examples alone; default 0.1. */
  readonly noise?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/** A generator: concepts, their number, and how an example is drawn. */
export interface Generator {
  readonly name: string;
  /** How many concepts it has; they are numbered from 0. */
  readonly concepts: number;
  readonly size: number;
  readonly classes: readonly string[];
  /** Draws an example into `out` and gives its class under the concept. */
  draw(concept: number, rng: Rng, out: Float32Array): number;
}

type Told = "boundary" | "labels" | "length";

/**
 * The stream of a generator. During a gradual change the share of the new concept at distance `d` from the middle of the change is
 * `1 / (1 + exp(−4d/w))` (MOA, Bifet et al. 2010).
 */
export function drifting(
  generator: Generator,
  options: DriftOptions,
  again: (seed: number) => Stream<Told, "vector">,
): Stream<Told, "vector"> {
  const { name, size } = generator;
  const o = withDefaults<Required<DriftOptions>>(name, options, {
    concepts: Array.from({ length: generator.concepts }, (_, i) => i),
    each: 1,
    examples: 1000,
    testExamples: 1000,
    drift: "abrupt",
    width: options.examples ?? 1000,
    noise: 0.1,
    seed: 0,
  });
  for (const key of ["each", "examples", "testExamples", "width"] as const) needWhole(name, key, o[key]);
  if (o.drift !== "abrupt" && o.drift !== "gradual")
    throw new TypeError(`${name}: the drift abrupt or gradual is required, got ${o.drift}`);
  for (const concept of o.concepts)
    if (!Number.isInteger(concept) || concept < 0 || concept >= generator.concepts)
      throw new RangeError(`${name}: a concept from 0 to ${generator.concepts - 1} is required, got ${concept}`);
  const rng = rngOf(o.seed, name);
  const met = [...new Set(o.concepts)];
  const taskOf = (index: number): number => met.indexOf(o.concepts[Math.floor(index / o.each)]!);
  const all = generator.classes.map((_, i) => i);
  const run = o.each * o.examples; // examples from one change to the next

  const conceptAt = (moment: number, draw: Rng): number => {
    const at = Math.min(o.concepts.length - 1, Math.floor(moment / run));
    if (o.drift === "abrupt") return o.concepts[at]!;
    const u = draw.uniform();
    const since = moment - at * run;
    const until = run - since;
    if (since < until && at > 0)
      return u < 1 / (1 + Math.exp((-4 * since) / o.width)) ? o.concepts[at]! : o.concepts[at - 1]!;
    if (at + 1 < o.concepts.length && u < 1 / (1 + Math.exp((4 * until) / o.width))) return o.concepts[at + 1]!;
    return o.concepts[at]!;
  };
  const drawn = (count: number, draw: Rng, concept: (i: number) => number, noise: number): Examples => {
    const x = new Float32Array(count * size);
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const label = generator.draw(concept(i), draw, x.subarray(i * size, (i + 1) * size));
      const wrong = draw.uniform() < noise;
      labels[i] = wrong ? (label + 1 + draw.int(all.length - 1)) % all.length : label;
    }
    return table(x, labels, [size], 1);
  };
  const test = (task: number): Examples => drawn(o.testExamples, rng.at("test", task), () => met[task]!, 0);
  return makeStream<Told, "vector">({
    spec: { name, args: [options as never] },
    kind: "vector",
    shape: [size],
    facts: ["boundary", "labels", "length"],
    length: o.concepts.length * o.each,
    tasks: met.length,
    classes: generator.classes,
    countOf: () => o.examples,
    taskOf,
    classesOf: () => all,
    test: (task) => ({ examples: test(task), classes: all }),
    experience(index) {
      const [draw, mix] = [rng.at("train", index), rng.at("mix", index)];
      const train = drawn(o.examples, draw, (i) => conceptAt(index * o.examples + i, mix), o.noise);
      return { index, task: taskOf(index), classes: all, train, validation: null, test: test(taskOf(index)) };
    },
    ...waiting(o.seed, again),
  });
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { type Dataset, type Examples, gather, gatherTargets } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { streamFromJson } from "../../lib/streams/from-json.ts";
import type { Backbone } from "../../lib/streams/operators/features.ts";
import * as operators from "../../lib/streams/operators/index.ts";
import * as sources from "../../lib/streams/sources/index.ts";
import type { Fact, FactChange, Stream } from "../../lib/streams/stream.ts";

const images = digits();
const vectors = blobs({ classes: 6, dimensions: 4, perClass: 30, testPerClass: 20 });
const others = blobs({ classes: 6, dimensions: 4, perClass: 20, testPerClass: 10, seed: 1 });
const data: Dataset[] = [images, vectors, others];

/** Arguments with which every source can be called; a source that is not named here fails a test. */
const sourceCalls: Record<keyof typeof sources, () => Stream> = {
  agrawal: () => sources.agrawal({ concepts: [0, 3, 0], examples: 60, testExamples: 20, drift: "gradual" }),
  classes: () => sources.classes(images),
  clients: () => sources.clients(images, { clients: 3, classesPerRound: 5 }),
  datasets: () => sources.datasets([vectors, others], { examples: 50, shape: [6] }),
  domains: () => sources.domains([vectors, others]),
  edits: () => sources.edits(4, { batch: 3 }),
  episodes: () => sources.episodes(images, { ways: 4, shots: 2, queries: 3, episodes: 6 }),
  hierarchy: () => sources.hierarchy(images, 3),
  hyperplane: () => sources.hyperplane({ examples: 40, testExamples: 20, experiences: 4 }),
  instances: () => sources.instances(images, 4),
  labelPermuted: () => sources.labelPermuted(vectors, 3),
  megabatches: () => sources.megabatches(vectors, 4),
  permuted: () => sources.permuted(vectors, 3),
  procedural: () => sources.procedural({ sizePixels: 8, examples: 18, testExamples: 12, experiences: 4 }),
  regression: () => sources.regression({ examples: 30, testExamples: 10, experiences: 4 }),
  revolving: () => sources.revolving(images, { classes: 3, rounds: 1 }),
  rotated: () => sources.rotated(images, [0, 30]),
  sea: () => sources.sea({ examples: 60, testExamples: 20 }),
  sequence: () => sources.sequence(vectors, 3),
  sines: () => sources.sines(4, { testExamples: 12 }),
};

type Made = (stream: Stream) => Stream;
type Op = {
  call: (stream: Stream) => Made;
  /** Whether every training example is still there exactly once, but for its label. */
  conserves?: boolean;
};
const two = (stream: Stream) => Array.from({ length: stream.classesOf(0).length / 2 }, () => 2);

/** How every operator can be called on a stream; an operator that is not named here fails a test. */
const operatorCalls: Record<keyof typeof operators, Op> = {
  active: { call: () => operators.active(3) as Made, conserves: true },
  augment: { call: () => operators.augment({ copies: 2, flip: 0.5 }) as Made },
  blur: { call: () => operators.blur({ disjoint: 0.3, blurry: 0.4 }) as Made, conserves: true },
  budget: { call: () => operators.budget({ steps: 5 }) as Made, conserves: true },
  concat: { call: (s) => operators.concat(s) as Made },
  corrupt: { call: () => operators.corrupt(["fog", "contrast"], 2) as Made },
  delayLabels: { call: () => operators.delayLabels(1) as Made },
  features: { call: () => operators.features(sums) as Made },
  dualStage: { call: () => operators.dualStage({ general: 0, replay: 0.2 }) as Made },
  fewShot: { call: (s) => operators.fewShot({ base: s.classesOf(0).length - 2, ways: 1, shots: 3 }) as Made },
  forget: { call: (s) => operators.forget([0], { at: s.length - 1 }) as Made },
  generalized: { call: () => operators.generalized({ experiences: 4, examples: 12 }) as Made },
  gradual: { call: () => operators.gradual({ width: 0.5 }) as Made, conserves: true },
  imbalance: { call: () => operators.imbalance({ ratio: 5 }) as Made },
  interleave: { call: (s) => operators.interleave(s) as Made },
  labelNoise: { call: () => operators.labelNoise(0.3) as Made, conserves: true },
  limit: { call: () => operators.limit({ train: 9, test: 5 }) as Made },
  multiLabel: { call: () => operators.multiLabel() as Made },
  online: { call: () => operators.online({ batch: 16 }) as Made, conserves: true },
  order: { call: () => operators.order(4) as Made, conserves: true },
  recur: { call: () => operators.recur({ experiences: 5, classes: 2 }) as Made },
  repeat: { call: () => operators.repeat(2) as Made },
  revisit: { call: (s) => operators.revisit({ experiences: s.length + 3 }) as Made },
  scenario: { call: () => operators.scenario("domain") as Made, conserves: true },
  shuffleTasks: { call: () => operators.shuffleTasks(2) as Made, conserves: true },
  slice: { call: () => operators.slice(0, 2) as Made },
  split: { call: (s) => operators.split(two(s)) as Made, conserves: true },
  splitLabels: { call: (s) => operators.splitLabels(two(s)) as Made },
  unlabel: { call: () => operators.unlabel(0.5) as Made, conserves: true },
  validation: { call: () => operators.validation(0.2) as Made },
  withhold: { call: () => operators.withhold("boundary") as Made, conserves: true },
};

/** Stands for a model: what it gives is worked out by hand, and its JSON says it. */
const sums: Backbone = {
  apply: (batch, count) => {
    const size = batch.length / count;
    return Float32Array.from({ length: 2 * count }, (_, i) => batch[Math.floor(i / 2) * size]! + (i % 2));
  },
  toJSON: () => "sums",
};

const numbersOf = (of: Examples): string[] =>
  Array.from({ length: of.length }, (_, i) =>
    [...gather(of, [i]), ...(of.targets ? gatherTargets(of, [i]) : [])].join(),
  );
const digest = (of: Examples): string => `${numbersOf(of).join(";")}|${of.labels.join()}`;
const few = (n: number) => Math.min(n, 4);

/** Everything that holds of any stream. */
function check(stream: Stream): void {
  expect(stream.length).toBeGreaterThan(0);
  expect(stream.tasks).toBeLessThanOrEqual(stream.length);
  expect(stream.facts.includes("length")).toBe(stream.facts.includes("length") && stream.length !== Infinity);
  const again = streamFromJson(JSON.parse(JSON.stringify(stream)), data, () => sums);
  expect(JSON.stringify(again)).toBe(JSON.stringify(stream));
  expect([again.length, again.tasks, again.head, again.target]).toEqual([
    stream.length,
    stream.tasks,
    stream.head,
    stream.target,
  ]);
  expect(again.facts).toEqual(stream.facts);
  expect(again.classes).toEqual(stream.classes);
  const width = stream.classes.length;
  for (let i = 0; i < few(stream.length); i++) {
    const index = i === 3 ? stream.length - 1 : i;
    const e = stream.experience(index);
    expect([e.index, e.task, e.train.length]).toEqual([index, stream.taskOf(index), stream.countOf(index)]);
    expect(e.task).toBeLessThan(stream.tasks);
    expect([...e.classes]).toEqual([...new Set(e.classes)].sort((a, b) => a - b));
    for (const part of [e.train, e.test, ...(e.validation ? [e.validation] : [])]) {
      expect(part.shape).toEqual(stream.shape);
      for (const label of part.labels) {
        expect(label).toBeGreaterThanOrEqual(-1);
        if (label >= width) expect(label).toBeLessThan(width);
      }
    }
    if (stream.target === "class")
      for (const label of new Set(e.train.labels)) if (label >= 0) expect(e.classes).toContain(label);
    if (stream.facts.includes("labels") && stream.target === "class") expect(e.train.labels).not.toContain(-1);
    const { examples, classes } = stream.test(e.task);
    expect([...classes]).toEqual([...stream.classesOf(e.task)]);
    expect(digest(examples)).toBe(digest(e.test));
    if (stream.target === "class") for (const label of new Set(examples.labels)) expect(classes).toContain(label);
    expect(digest(again.experience(index).train)).toBe(digest(e.train));
    expect(digest(again.experience(index).test)).toBe(digest(e.test));
  }
}

/** The facts that a chain of operators declares to leave. */
function declared(facts: readonly Fact[], name: keyof typeof operators): Fact[] {
  type Declared = { facts?: FactChange<Fact, Fact, Fact>; cases?: Record<string, FactChange<Fact, Fact, Fact>> };
  const operator = (operators as Record<string, unknown>)[name] as Declared;
  const change = operator.facts ?? operator.cases![name === "scenario" ? "domain" : "boundary"]!;
  return [...new Set([...facts.filter((f) => !change.drops?.includes(f)), ...(change.adds ?? [])])];
}

describe("every source", () => {
  test("is called in this file", () => {
    expect(Object.keys(sourceCalls).sort()).toEqual(Object.keys(sources).sort());
    expect(Object.keys(operatorCalls).sort()).toEqual(Object.keys(operators).sort());
  });

  test.each(Object.entries(sourceCalls))("%s gives a stream that keeps its word", (name, make) => {
    expect((sources as Record<string, { source: string }>)[name]!.source).toBe(name);
    check(make());
  });
});

test("operators keep their word in any combination up to three deep", () => {
  const source = fc.constantFrom(...(Object.keys(sourceCalls) as (keyof typeof sourceCalls)[]));
  const chain = fc.array(fc.constantFrom(...(Object.keys(operatorCalls) as (keyof typeof operatorCalls)[])), {
    minLength: 1,
    maxLength: 3,
  });
  let built = 0;
  let refused = 0;
  let empty = 0;
  fc.assert(
    fc.property(source, chain, (from, names) => {
      try {
        let stream = sourceCalls[from]();
        let facts: readonly Fact[] = stream.facts;
        for (const name of names) {
          let next: Stream;
          try {
            next = operatorCalls[name].call(stream)(stream);
          } catch (error) {
            if ((error as Error).message.includes("has no training examples")) throw error;
            // a combination that makes no sense is refused with a sentence that begins with a name
            expect((error as Error).message).toMatch(/^[a-zA-Z]+: .{20,}/);
            expect(["TypeError", "RangeError"]).toContain((error as Error).name);
            if (error instanceof TypeError) expect(error.message).not.toMatch(/undefined|not a function/);
            refused++;
            continue;
          }
          facts = declared(facts, name);
          expect([...next.facts].sort()).toEqual([...facts].sort());
          if (operatorCalls[name].conserves && stream.length * stream.countOf(0) < 20_000) {
            const all = (s: Stream) => [...s].flatMap((e) => numbersOf(e.train)).sort();
            if (stream.length <= 12) expect(all(next)).toEqual(all(stream));
          }
          stream = next;
        }
        built++;
        check(stream);
      } catch (error) {
        // only what is left of an experience can show that nothing is left, or that labels are asked for of other examples
        const { message } = error as Error;
        if (message.includes("put active after")) refused++;
        else if (message.includes("has no training examples")) empty++;
        else throw error;
      }
    }),
    { numRuns: 60, seed: 20_261 },
  );
  expect(built).toBeGreaterThan(30);
  expect([refused < 60, empty < 10]).toEqual([true, true]);
});

test("a stream that never ends is made again from its JSON", () => {
  const endless: Stream[] = [
    sources.permuted(vectors, Infinity),
    sources.episodes(images),
    sources.sines(Infinity),
    operators.recur({ experiences: Infinity })(sources.classes(vectors)) as Stream,
    operators.repeat(Infinity)(sources.permuted(vectors, 2)),
    operators.limit({ train: 9, test: Infinity })(sources.permuted(vectors, 2)),
  ];
  for (const stream of endless) {
    const again = streamFromJson(JSON.parse(JSON.stringify(stream)), data);
    expect([again.length, again.tasks]).toEqual([stream.length, stream.tasks]);
    expect(digest(again.experience(1).train)).toBe(digest(stream.experience(1).train));
  }
});

test("training and test examples of a data set are disjoint in every stream of it", () => {
  const keys = (of: Examples) => new Set(numbersOf(of));
  for (const from of ["classes", "megabatches", "sequence", "permuted", "clients", "hierarchy"] as const) {
    const stream = sourceCalls[from]();
    for (const e of stream) {
      const trained = keys(e.train);
      const shared = [...keys(stream.test(e.task).examples)].filter((row) => trained.has(row));
      expect([from, shared.length]).toEqual([from, 0]);
    }
  }
});

test("another seed makes another stream, wherever a seed can be given", () => {
  const digestOf = (s: Stream) => digest(s.experience(s.length === Infinity ? 1 : s.length - 1).train);
  const classes = sources.classes(vectors) as Stream;
  const split = operators.split(3)(classes) as Stream;
  const cases: [string, (seed: number | "run") => Stream][] = [
    ["blur", (seed) => operators.blur({ seed, blurry: 0.5, disjoint: 0 })(split) as Stream],
    ["gradual", (seed) => operators.gradual({ seed })(split) as Stream],
    ["generalized", (seed) => operators.generalized({ seed })(classes) as Stream],
    ["imbalance", (seed) => operators.imbalance({ seed, ratio: 3 })(split) as Stream],
    ["labelNoise", (seed) => operators.labelNoise(0.4, { seed })(split) as Stream],
    ["limit", (seed) => operators.limit({ train: 7, seed })(split) as Stream],
    ["online", (seed) => operators.online({ batch: 7, seed })(split) as Stream],
    ["recur", (seed) => operators.recur({ seed, experiences: 9 })(classes) as Stream],
    ["unlabel", (seed) => operators.unlabel(0.5, { seed })(split) as Stream],
    ["validation", (seed) => operators.validation(0.3, { seed })(split) as Stream],
    ["permuted", (seed) => sources.permuted(vectors, 2, { seed }) as Stream],
    ["megabatches", (seed) => sources.megabatches(vectors, 3, { seed }) as Stream],
    ["sines", (seed) => sources.sines(2, { seed }) as Stream],
    ["sea", (seed) => sources.sea({ seed, examples: 30 }) as Stream],
    ["regression", (seed) => sources.regression({ seed, examples: 30 }) as Stream],
    ["procedural", (seed) => sources.procedural({ seed, examples: 6 }) as Stream],
    ["revolving", (seed) => sources.revolving(images, { seed, classes: 2, rounds: 1 }) as Stream],
    ["edits", (seed) => sources.edits(3, { seed, batch: 9 }) as Stream],
  ];
  for (const [name, make] of cases) {
    expect([name, digestOf(make(1))]).toEqual([name, digestOf(make(1))]);
    expect(digestOf(make(1))).not.toBe(digestOf(make(2)));
    expect([name, digestOf(make("run").seeded(2))]).toEqual([name, digestOf(make(2))]);
  }
});

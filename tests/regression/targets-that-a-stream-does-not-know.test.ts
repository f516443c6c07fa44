import { describe, expect, test } from "vitest";
import {
  type Dataset,
  type Examples,
  gather,
  gatherTargets,
  makeDataset,
  type Target,
  table,
  targetTable,
} from "../../lib/data/dataset.ts";
import { fromText } from "../../lib/data/from-text.ts";
import { net } from "../../lib/models/net.ts";
import { sgd } from "../../lib/optim/optimizers/sgd.ts";
import { constant } from "../../lib/optim/schedules/constant.ts";
import { acquire } from "../../lib/strategies/acquisition/acquire.ts";
import * as operators from "../../lib/streams/operators/index.ts";
import * as sources from "../../lib/streams/sources/index.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { fit } from "../../lib/train/fit.ts";
import { evaluation, training } from "../../lib/train/spec.ts";

const [trained, tested] = [24, 12];

/** A small data set of vectors or images with four classes that asks for something. */
function asking(target: Target, shape: readonly number[], width: number, seed = 1): Dataset {
  const size = shape.reduce((a, b) => a * b, 1);
  const part = (count: number, from: number): Examples => {
    const x = Uint8Array.from({ length: count * size }, (_, i) => (7 * seed + 31 * (i + from) + (i % 5) * 17) % 256);
    const labels = Int32Array.from({ length: count }, (_, i) => (target === "numbers" ? -1 : i % 4));
    const y = Float32Array.from({ length: count * width }, (_, i) =>
      target === "numbers"
        ? ((i * 13) % 7) / 7 + (i % width)
        : Number(i % width === Math.floor(i / width) % 4 || (i * 5) % 3 === 0),
    );
    return table(x, labels, shape, 1 / 255, target === "class" ? undefined : targetTable(y, width));
  };
  return makeDataset({
    name: `${target}${width}-${seed}`,
    kind: shape.length === 3 ? "image" : "vector",
    ...(target !== "class" && { target }),
    classes: Array.from({ length: target === "numbers" ? width : 4 }, (_, i) => `${target} ${i}`),
    train: part(trained, 0),
    test: part(tested, 1000),
    source: "made",
  });
}

const text = (seed: number): Dataset => fromText("abcabdacd".repeat(30 + seed), { length: 4, name: `text-${seed}` });

/** What is asked for, of vectors and of images: two data sets of each. */
const kinds: Record<string, (seed: number) => Dataset> = {
  "classes of vectors": (seed) => asking("class", [4], 1, seed),
  "classes of images": (seed) => asking("class", [6, 6, 1], 1, seed),
  "one number": (seed) => asking("numbers", [4], 1, seed),
  "two numbers": (seed) => asking("numbers", [4], 2, seed),
  "two numbers of images": (seed) => asking("numbers", [6, 6, 1], 2, seed),
  "several labels": (seed) => asking("labels", [4], 4, seed),
  "several labels of images": (seed) => asking("labels", [6, 6, 1], 4, seed),
  tokens: text,
};

type Data = (seed: number) => Dataset;
type Named<K extends string> = Readonly<Record<K, (data: Data) => unknown>>;

/** Every source of data sets; one that is not named here fails a test. */
const ofData = {
  classes: (data) => sources.classes(data(1), { order: 3 }),
  clients: (data) => sources.clients(data(1), { clients: 2, classesPerRound: 2 }),
  datasets: (data) => sources.datasets([data(1), data(2)]),
  domains: (data) => sources.domains([data(1), data(2)]),
  episodes: (data) => sources.episodes(data(1), { ways: 2, shots: 1, queries: 2, episodes: 3 }),
  hierarchy: (data) => sources.hierarchy(data(1), 2),
  instances: (data) => sources.instances(data(1) as Dataset<"image">, 2),
  labelPermuted: (data) => sources.labelPermuted(data(1), 2),
  megabatches: (data) => sources.megabatches(data(1), 2),
  permuted: (data) => sources.permuted(data(1), 2),
  revolving: (data) => sources.revolving(data(1) as Dataset<"image">, { classes: 2, rounds: 1 }),
  rotated: (data) => sources.rotated(data(1) as Dataset<"image">, [0, 90]),
  sequence: (data) => sources.sequence(data(1), 2),
} satisfies Named<string>;

const small = { examples: 12, testExamples: 8 };

/** Every source that makes its own examples. */
const ofNothing = {
  agrawal: () => sources.agrawal({ concepts: [0, 3], ...small }),
  edits: () => sources.edits(3, { batch: 2, subjects: 6 }),
  hyperplane: () => sources.hyperplane({ ...small, experiences: 2 }),
  procedural: () => sources.procedural({ sizePixels: 6, ...small, experiences: 2 }),
  regression: () => sources.regression({ ...small, experiences: 2 }),
  sea: () => sources.sea({ concepts: [0, 1], ...small }),
  sines: () => sources.sines(2, small),
} satisfies Named<string>;

type Made = (stream: Stream) => Stream;
const o = operators as unknown as Record<keyof typeof operators, (...args: unknown[]) => Made>;
const halves = (s: Stream) => Math.max(1, Math.floor(s.classesOf(0).length / 2));

/** Every operator, in each way that could mean something else for another target; the first word is its name. */
const ways: Readonly<Record<string, (stream: Stream) => Made>> = {
  active: () => o.active(3),
  augment: () => o.augment({ copies: 2, flip: 0.5 }),
  blur: () => o.blur({ disjoint: 0, blurry: 0.5 }),
  budget: () => o.budget({ steps: 1 }),
  concat: (s) => o.concat(s),
  "concat own": (s) => o.concat(s, { columns: "own" }),
  corrupt: () => o.corrupt(["fog", "contrast"], 2),
  delayLabels: () => o.delayLabels(1),
  dualStage: () => o.dualStage({ replay: 0.5 }),
  features: () => o.features((batch: Float32Array, count: number) => batch.slice(0, 2 * count)),
  fewShot: (s) => o.fewShot({ base: s.classesOf(0).length - halves(s), ways: halves(s), shots: 2 }),
  forget: (s) => o.forget([0], { at: s.length - 1 }),
  generalized: () => o.generalized({ experiences: 2, examples: 8 }),
  gradual: () => o.gradual({ width: 0.5 }),
  imbalance: () => o.imbalance({ ratio: 3 }),
  interleave: (s) => o.interleave(s),
  labelNoise: () => o.labelNoise(0.5),
  limit: () => o.limit({ train: 5, test: 4 }),
  "limit per class": () => o.limit({ train: 1, perClass: true }),
  multiLabel: () => o.multiLabel(),
  online: () => o.online({ batch: 7 }),
  order: () => o.order(4),
  "order by likeness": () => o.order("similar"),
  recur: () => o.recur({ experiences: 3, classes: 1 }),
  repeat: () => o.repeat(2),
  revisit: (s) => o.revisit({ experiences: s.length + 1 }),
  "scenario class": () => o.scenario("class"),
  "scenario class, growing": () => o.scenario("class", { head: "growing" }),
  "scenario task": () => o.scenario("task"),
  "scenario domain": () => o.scenario("domain"),
  shuffleTasks: () => o.shuffleTasks(2),
  slice: () => o.slice(0, 1),
  split: (s) => o.split({ parts: halves(s), seed: 0 }),
  splitLabels: (s) => o.splitLabels({ parts: halves(s), seed: 0 }),
  unlabel: () => o.unlabel(0.5),
  validation: () => o.validation(0.3),
  "withhold task": () => o.withhold("task"),
  "withhold boundary": () => o.withhold("boundary"),
  "withhold labels": () => o.withhold("labels"),
  "withhold length": () => o.withhold("length"),
};

const sentence = /^[a-zA-Z]+: .*(required|possible|must be|are there|goes with).{3,}/;

/** The stream, or the sentence that refuses it. */
function built(make: () => unknown): Stream | string {
  try {
    return make() as Stream;
  } catch (error) {
    expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
    expect((error as Error).message).toMatch(sentence);
    expect((error as Error).message).not.toMatch(/undefined|NaN|not a function/);
    return (error as Error).message;
  }
}

/** Every table has what the stream promises, in its shape, and finite. */
function checkTables(stream: Stream): void {
  const width = stream.classes.length;
  for (let i = 0; i < Math.min(stream.length, 3); i++) {
    const e = stream.experience(i);
    expect(e.train.length).toBe(stream.countOf(i));
    for (const of of [e.train, e.test, ...(e.validation ? [e.validation] : [])]) {
      const all = [...Array(of.length).keys()];
      expect(gather(of, all).every(Number.isFinite)).toBe(true);
      if (stream.target === "class") continue;
      expect(of.targets!.width).toBe(stream.target === "tokens" ? stream.shape[0] : width);
      const wanted = gatherTargets(of, all);
      expect(wanted.every(Number.isFinite)).toBe(true);
      if (stream.target === "labels") expect(wanted.every((v) => v === 0 || v === 1)).toBe(true);
      if (stream.target === "tokens") expect(wanted.every((v) => Number.isInteger(v) && v < width)).toBe(true);
      // what a task asks for lies in its columns, and something is asked for
      const own = new Set(stream.classesOf(e.task));
      if (stream.target === "numbers")
        wanted.forEach((v, k) => {
          if (!own.has(k % width)) expect(v).toBe(0);
        });
      expect(wanted.some((v) => v !== 0)).toBe(true);
    }
  }
}

/** Two steps on each experience: every loss is finite and above 0, every accuracy is one. */
async function checkLearning(stream: Stream): Promise<number> {
  const model =
    stream.kind === "image"
      ? net().flatten().dense(4).relu()
      : stream.kind === "vector"
        ? net().dense(4).relu()
        : stream.target === "tokens"
          ? net().embedding(8, 4)
          : net().embedding(16, 4).flatten();
  const fitting = fit({
    stream,
    model: model as never,
    strategies: stream.experience(0).oracle === undefined ? [] : [acquire({ labels: 2 })],
    optimizer: sgd({ lr: 0.01 }),
    schedule: constant(),
    training: training({ batch: 4, steps: 2 }),
    evaluation: evaluation({ share: 0, tasks: "seen" }),
  });
  const events: TrainEvent[] = [];
  for await (const event of fitting) events.push(event);
  fitting.dispose();
  const evaluated = events.filter((event) => event.type === "evaluated");
  const unlabelled = stream.target === "class" && !stream.facts.includes("labels");
  for (const event of events) if (event.type === "step" && !unlabelled) expect(event.loss).toBeGreaterThan(0);
  expect(evaluated.length).toBeGreaterThan(0);
  for (const { loss, accuracy, taskAware, taskAgnostic } of evaluated) {
    expect(loss).toBeGreaterThan(0);
    expect(Number.isFinite(loss)).toBe(true);
    for (const value of [accuracy, taskAware, taskAgnostic]) {
      expect(value).toBeLessThanOrEqual(1);
      expect(value).toBeGreaterThan(stream.target === "numbers" ? -1e4 : -1e-9);
    }
  }
  return evaluated.length;
}

test("every source and every operator is in these lists", () => {
  expect([...Object.keys(ofData), ...Object.keys(ofNothing)].sort()).toEqual(Object.keys(sources).sort());
  const named = new Set(Object.keys(ways).map((way) => way.split(" ")[0]));
  expect([...named].sort()).toEqual(Object.keys(operators).sort());
});

const streams = [
  ...Object.entries(kinds).flatMap(([kind, data]) =>
    Object.entries(ofData).map(([name, make]) => [`${name} of ${kind}`, () => make(data)] as const),
  ),
  ...Object.entries(ofNothing).map(([name, make]) => [name, make as () => unknown] as const),
];
/** All combinations are learnt from where this is set; else every source once, and every operator on two sources of each target. */
const all = process.env.THALWEG_ALL_TARGETS !== undefined;
const learned = (from: string): boolean =>
  all || /^(classes|permuted) of (classes of vectors|one number|two numbers|several labels|tokens)$/.test(from);

test.each(streams)(
  "%s is refused in a sentence, or learnt from, by itself and after each operator",
  async (from, make) => {
    const stream = built(make);
    if (typeof stream === "string") return;
    checkTables(stream);
    await checkLearning(stream);
    for (const [way, change] of Object.entries(ways)) {
      const next = built(() => change(stream)(stream));
      if (typeof next === "string") continue;
      try {
        checkTables(next);
        if (learned(from)) await checkLearning(next);
      } catch (error) {
        // only what is left of an experience can show that nothing is left
        if ((error as Error).message.includes("has no training examples")) continue;
        throw new Error(`${way}: ${(error as Error).message}`, { cause: error });
      }
    }
  },
);

describe("numbers as they are", () => {
  /** y = slope · x, and its opposite: one task that cannot be learned together with the other by one output. */
  const line = (slope: number, width: number): Dataset => {
    const part = (count: number, shift: number): Examples => {
      const x = Float32Array.from({ length: count }, (_, i) => (2 * (i + shift)) / count - 1);
      const y = Float32Array.from(
        { length: count * width },
        (_, i) => slope * x[Math.floor(i / width)]! * (1 + (i % width)),
      );
      return table(x, new Int32Array(count).fill(-1), [1], 1, targetTable(y, width));
    };
    return makeDataset({
      name: `line${slope}`,
      kind: "vector",
      target: "numbers",
      classes: Array.from({ length: width }, (_, i) => `y${i}`),
      train: part(40, 0.5),
      test: part(20, 0.3),
      source: "made",
    });
  };
  const ends = async (stream: Stream, model = net()): Promise<number[]> => {
    const fitting = fit({
      stream,
      model: model as never,
      strategies: [],
      optimizer: sgd({ lr: 0.3 }),
      schedule: constant(),
      training: training({ batch: 20, epochs: 60 }),
      evaluation: evaluation({ share: 0, every: "end" }),
    });
    const found: number[] = [];
    for await (const event of fitting)
      if (event.type === "evaluated" && event.at === "experience") found[event.on] = event.accuracy;
    fitting.dispose();
    return found;
  };

  test.each([1, 2])("classes() of a data set of %i numbers learns them", async (width) => {
    const stream = sources.classes(line(2, width));
    expect([stream.target, stream.facts]).toEqual(["numbers", ["boundary", "length"]]);
    expect((await ends(stream))[0]).toBeGreaterThan(0.99);
  });

  test.each([1, 2])('with scenario("task") each task of %i numbers has outputs of its own', async (width) => {
    const both = sources.domains([line(1, width), line(-1, width)]);
    const [first, second] = await ends(o.scenario("task")(both));
    expect([first! > 0.99, second! > 0.99]).toEqual([true, true]);
    const [forgotten, kept] = await ends(o.scenario("domain")(both));
    expect([forgotten! < -2, kept! > 0.99]).toEqual([true, true]);
  });

  test("labels follow their columns into another order", () => {
    const labels = sources.classes(asking("labels", [4], 4), { order: [3, 1, 0, 2] });
    const before = gatherTargets(asking("labels", [4], 4).train, [0, 1, 2]);
    const after = gatherTargets(labels.experience(0).train, [0, 1, 2]);
    [3, 1, 0, 2].forEach((old, now) => {
      for (const row of [0, 1, 2]) expect(after[4 * row + now]).toBe(before[4 * row + old]);
    });
    expect(labels.classes).toEqual(["labels 3", "labels 1", "labels 0", "labels 2"]);
  });

  test("numbers that do not vary have a share of explained variance all the same", async () => {
    const { targetScore } = await import("../../lib/train/objective.ts");
    const of = table(new Float32Array(2), new Int32Array(2).fill(-1), [1], 1, targetTable(Float32Array.of(3, 3), 1));
    // as scikit-learn's r2_score: 1 where they are met exactly, else 0
    expect(targetScore("numbers", Float32Array.of(3, 3), of, [0]).taskAware).toBe(1);
    expect(targetScore("numbers", Float32Array.of(3, 4), of, [0])).toMatchObject({ taskAware: 0, loss: 0.5 });
  });

  test("keep what they ask for on the way to another process", async () => {
    const { packedData, unpackedData } = await import("../../lib/sweeps/parts/parcel.ts");
    const data = line(2, 2);
    const again = unpackedData(packedData(data));
    expect([again.target, again.checksum]).toEqual(["numbers", data.checksum]);
  });
});

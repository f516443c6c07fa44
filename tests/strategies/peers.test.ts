/** Whole runs beside the same runs in other libraries: the same data, start, order and settings give the same weights. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Examples, gather, select, table } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { decode, disposeTree, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { adam, type Optimizer, sgd } from "../../lib/optim/index.ts";
import * as s from "../../lib/strategies/index.ts";
import { type Strategy, strategy } from "../../lib/strategies/strategy.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { type Experience, makeStream, type Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import { training } from "../../lib/train/spec.ts";
import { advance, spec } from "./support.ts";

const avalanche = JSON.parse(readFileSync(new URL("./peers/avalanche.json", import.meta.url), "utf8")) as {
  start: string;
  end: Record<string, string>;
};

const byHand = JSON.parse(readFileSync(new URL("./peers/torch.json", import.meta.url), "utf8")) as {
  end: Record<string, string>;
};

/** The numbers of a row of the file: kernels and biases, layer after layer. */
const unpacked = (text: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);

/** A network 64-8-6 with these numbers. */
function network(flat: Float32Array): Weights {
  const [dense, head] = [512, 520];
  return {
    model: {
      "2-dense": { kernel: tf.tensor2d(flat.slice(0, dense), [64, 8]), bias: tf.tensor1d(flat.slice(dense, head)) },
    },
    head: { kernel: tf.tensor2d(flat.slice(head, head + 48), [8, 6]), bias: tf.tensor1d(flat.slice(head + 48)) },
  };
}

/** The first 30 of each of some digits in the order of the file, with their pixels in another order. */
function rows(classes: readonly number[], turned: (pixel: number) => number = (pixel) => pixel): Examples {
  const { train } = digits();
  const chosen = classes.flatMap((c) => [...train.labels.keys()].filter((i) => train.labels[i] === c).slice(0, 30));
  const own = select(train, Uint32Array.from(chosen).sort());
  const x = gather(
    own,
    Uint32Array.from({ length: own.length }, (_, i) => i),
  );
  return table(
    Float32Array.from(x, (_, i) => x[i - (i % 64) + turned(i % 64)]!),
    own.labels,
    [64],
    1,
  );
}

/** The experiences as the other program has them. */
function arriving(experiences: number, same: boolean): Stream {
  const orders = [(p: number) => p, (p: number) => 63 - p, (p: number) => (p + 51) % 64];
  const of = (i: number): Experience => {
    const classes = same ? [0, 1] : [2 * i, 2 * i + 1];
    const train = rows(classes, same ? orders[i] : undefined);
    return { index: i, task: i, classes, train, validation: null, test: train };
  };
  return makeStream({
    spec: { name: "peers", args: [] },
    kind: "vector",
    shape: [64],
    facts: ["boundary", "labels", "length"],
    length: experiences,
    classes: ["0", "1", "2", "3", "4", "5"],
    experience: of,
  }) as unknown as Stream;
}

/** Puts the network where the other program began. */
const startAt = strategy("startAt", {}, () => ({
  beforeExperience: (_state: object, { index }) => (index === 0 ? { weights: network(unpacked(avalanche.start)) } : {}),
}));

interface Same {
  readonly strategies: readonly Strategy[];
  readonly batch?: number;
  readonly epochs?: number;
  readonly experiences?: number;
  readonly optimizer?: Optimizer;
  readonly same?: boolean;
}

/** The weights after a run, in the order of the file. */
function ended({
  strategies,
  batch = 10,
  epochs = 2,
  experiences = 3,
  optimizer = sgd({ lr: 0.1 }),
  same = false,
}: Same) {
  const over = arriving(experiences, same);
  const session = open(
    spec(over, [startAt(), ...strategies], {
      model: mlp({ hidden: [8] }),
      optimizer,
      training: training({ batch, epochs, shuffle: false }),
    }),
    0,
    "test",
  );
  advance(session);
  const { model, head } = session.learner.weights as unknown as Record<string, Record<string, never>>;
  const layers = [...Object.values(model!), head] as unknown as { kernel: tf.Tensor; bias: tf.Tensor }[];
  const numbers = layers.flatMap(({ kernel, bias }) => [...kernel.dataSync(), ...bias.dataSync()]);
  session.dispose();
  return numbers;
}

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

describe("Avalanche comes to the same weights", () => {
  // Its penalty of EWC has no ½ and that of SI has one. What else was set and why is in with-avalanche.py.
  const runs: Record<string, Same> = {
    naive: { strategies: [s.naive()] },
    "naive, momentum": { strategies: [s.naive()], optimizer: sgd({ lr: 0.05, momentum: 0.9 }) },
    "naive, adam": { strategies: [s.naive()], optimizer: adam({ lr: 0.01 }) },
    "ewc, separate": { strategies: [s.ewc({ lambda: 40, fisher: "true" })], batch: 1 },
    "ewc, online": { strategies: [s.ewc({ lambda: 40, fisher: "true", online: true, decay: 0.8 })], batch: 1 },
    "ewc, of batches": { strategies: [s.ewc({ lambda: 10, fisher: "batch" })], batch: 60, epochs: 20 },
    "si, as it is": { strategies: [s.naive()] },
    si: { strategies: [s.si({ c: 1000, epsilon: 0.1, most: 0.001 })] },
    lwf: { strategies: [s.lwf({ lambda: 1.5, temperature: 2 })] },
    mas: { strategies: [s.mas({ lambda: 0.005 })], batch: 1, experiences: 2 },
    lfl: { strategies: [s.lfl({ lambda: 0.5 })], same: true },
    gem: { strategies: [s.gem({ capacity: 180, margin: 0.3, rounds: 50 })] },
    agem: { strategies: [s.agem({ capacity: 180, draw: 180, epsilon: 0 })] },
    replay: { strategies: [s.replay({ capacity: 180, draw: 180, fill: "boundary" })], experiences: 2 },
  };

  test("the data are the same", () => {
    expect(rows([0, 1]).length).toBe(60);
    expect(Object.keys(runs).sort()).toEqual(Object.keys(avalanche.end).sort());
  });

  test.each(Object.keys(runs))("%s", (name) => {
    const { strategies: _, ...plain } = runs[name]!;
    const wanted = unpacked(avalanche.end[name]!);
    const got = ended(runs[name]!);
    expect(apart(got, wanted)).toBeLessThan(1e-5);
    // What is compared is the method and not the plain training that it is put on.
    if (runs[name]!.strategies[0]!.spec.name !== "naive")
      expect(apart(ended({ ...plain, strategies: [s.naive()] }), wanted)).toBeGreaterThan(0.05);
  });
});

describe("PyTorch by hand comes to the same weights", () => {
  // A memory with room for all 180 examples that is drawn whole.
  const all = { capacity: 180, draw: 180 };
  const methods: Record<string, Strategy> = {
    replay: s.replay(all),
    der: s.der({ ...all, alpha: 0.5 }),
    derpp: s.derpp({ ...all, alpha: 0.5, beta: 0.7 }),
    erAce: s.erAce(all),
    mir: s.mir({ capacity: 180, candidates: 180, draw: 10 }),
    mer: s.mer({ ...all, batches: 2, rows: 200, beta: 0.5, gamma: 0.6 }),
    l2Anchor: s.l2Anchor({ lambda: 1 }),
    fdr: s.fdr({ ...all, alpha: 0.8 }),
  };

  test("for every method in the file", () => {
    expect(Object.keys(methods).sort()).toEqual(Object.keys(byHand.end).sort());
  });

  test.each(Object.entries(methods))("%s", (name, method) => {
    const wanted = unpacked(byHand.end[name]!);
    expect(apart(ended({ strategies: [method], epochs: 1 }), wanted)).toBeLessThan(1e-5);
    expect(apart(ended({ strategies: [s.naive()], epochs: 1 }), wanted)).toBeGreaterThan(0.03);
  });
});

describe("scikit-learn and NumPy say the same", () => {
  const { projection, methods } = JSON.parse(
    readFileSync(new URL("./peers/scikit-learn.json", import.meta.url), "utf8"),
  ) as { projection: string; methods: Record<string, { said: string; right: number; scores: number[][] }> };
  const stream = split(5)(classes(digits())) as unknown as Stream;
  const forms: Record<string, Strategy> = {
    nearestMean: s.nearestMean({ of: "inputs" }),
    slda: s.slda({ of: "inputs", shrinkage: 0.01 }),
    fecam: s.fecam({ of: "inputs" }),
    acil: s.acil({ of: "inputs", units: 16, ridge: 0.5 }),
    ridge: s.ridge(),
    kalman: s.kalman({ of: "inputs", drift: "fixed", keep: 1, prior: 2, noise: 0.3 }),
  };

  test.each(Object.entries(forms))("%s, learnt two classes at a time", (name, strategy) => {
    const session = open(spec(stream, [strategy], { model: mlp({ hidden: [8] }) }), 0, "test");
    advance(session);
    const { states } = decode(session.save()) as unknown as { states: Record<string, { tensors: never }> };
    session.dispose();
    const { tensors } = states[name]!;
    if (name === "acil")
      expect([...(tensors as { projection: tf.Tensor }).projection.dataSync()]).toEqual([...unpacked(projection)]);
    const { test: held } = digits();
    const flat = tf.tensor2d(gather(held, held.labels.map((_, i) => i) as never), [held.length, 64]);
    const scores = tf.tidy(() => {
      const given = { x: flat, features: flat, logits: tf.zeros([held.length, 10]) };
      return strategy.hooks.predict!({ tensors }, given as never).arraySync() as number[][];
    });
    disposeTree([states as never, flat]);
    const { said, right, scores: wanted } = methods[name]!;
    wanted.forEach((row, i) => {
      row.forEach((value, c) => {
        expect(Math.abs(scores[i]![c]! - value)).toBeLessThan(2e-4 * Math.max(1, Math.abs(value)));
      });
    });
    const answers = scores.map((row) => row.indexOf(Math.max(...row)));
    expect(answers.join("")).toBe(said);
    expect(answers.filter((answer, i) => answer === held.labels[i]).length).toBe(right);
  });
});

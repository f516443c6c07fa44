/** DER's growing features: what stays, what is read, and the classifier of the second stage. */
import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { fromArrays } from "../../lib/data/from-arrays.ts";
import { decode, random, tf } from "../../lib/engine/index.ts";
import { resnet18 } from "../../lib/models/index.ts";
import { tape } from "../../lib/models/model.ts";
import { adam } from "../../lib/optim/index.ts";
import { derExpand } from "../../lib/strategies/architecture/der-expand.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { evaluator } from "../../lib/train/evaluate.ts";
import { frozenOf } from "../../lib/train/held.ts";
import { crossEntropy } from "../../lib/train/objective.ts";
import { open, type Session } from "../../lib/train/session.ts";
import { training } from "../../lib/train/spec.ts";
import { advance, numbers, run, spec, stream } from "./support.ts";

const over = stream(derExpand as never, 20);

/** Goes on to a phase of an experience. */
function reach(session: Session, experience: number, phase: string): void {
  while (session.cursor.experience < experience || session.cursor.phase !== phase) session.advance();
}

/** A session at the end of an experience, its examples learnt and nothing evaluated. */
function learntTo(experience: number, strategy: Strategy): Session {
  const session = open(spec(over, [strategy]), 0, "test");
  reach(session, experience, "evaluate");
  return session;
}
type Held = Record<string, { model: Record<string, { kernel: tf.Tensor2D; bias: tf.Tensor1D }>; kernel: tf.Tensor2D }>;
const held = (session: Session): Held => session.learner.weights.added!.derExpand as never;

const untapped = {
  tapped: (_: unknown, y: unknown) => y,
  into: (x: unknown) => x,
  around: (given: unknown, run: (x: unknown) => unknown) => run(given),
};

describe("P143: dynamically expandable representation", () => {
  test("extractors of past experiences stay bit for bit, and a new one begins as a copy of the last", () => {
    const session = learntTo(0, derExpand({ capacity: 12 }));
    const first = numbers(held(session)[0]!.model);
    reach(session, 1, "train");
    expect(numbers(held(session)[1]!.model)).toEqual(first);
    reach(session, 1, "evaluate");
    expect(numbers(held(session)[0]!.model)).toEqual(first);
    expect(numbers(held(session)[1]!.model)).not.toEqual(first);
    advance(session);
    expect(numbers(held(session)[0]!.model)).toEqual(first);
    session.dispose();
  });

  test("logits are the features of all extractors side by side times one classifier", () => {
    const session = learntTo(1, derExpand({ capacity: 12, rounds: 0 }));
    const parts = held(session);
    const bias = (session.learner.weights.added!.derExpand as unknown as { bias: tf.Tensor1D }).bias.arraySync();
    const { train } = over.experience(1);
    const x = [0, 1, 2].map((i) => {
      const row = new Float32Array(3);
      train.read([i], row);
      return [...row].map((v) => v * train.scale);
    });
    const through = (row: number[], kernel: number[][], b: number[]): number[] =>
      b.map((start, c) => row.reduce((sum, v, i) => sum + v * kernel[i]![c]!, start));
    const wanted = x.map((row) => {
      const logits = [...bias];
      for (const k of [0, 1]) {
        let at = row;
        for (const { kernel, bias: b } of Object.values(parts[k]!.model))
          at = through(at, kernel.arraySync(), b.arraySync()).map((v) => Math.max(0, v));
        through(at, parts[k]!.kernel.arraySync(), Array(6).fill(0)).forEach((v, c) => {
          logits[c]! += v;
        });
      }
      return logits;
    });
    const strategy = derExpand({ capacity: 12 });
    const inputs = tf.tensor2d(x);
    const plain = ({ weights }: { weights: never }) => ({
      features: session.network.features(weights, inputs, {
        ...untapped,
        at: () => untapped,
      } as never),
    });
    const { logits } = strategy.hooks.forward!(
      { tensors: { used: [tf.scalar(0), tf.scalar(1)], statistics: [{}] } } as never,
      {
        weights: session.learner.weights,
        plain,
      } as never,
    );
    const got = logits.arraySync() as number[][];
    wanted.flat().forEach((value, i) => {
      expect(got.flat()[i]).toBeCloseTo(value, 4);
    });
    session.dispose();
  });

  test("MEMO: with a shared layer an experience adds the others alone, and the shared one goes on being trained", () => {
    const session = learntTo(0, derExpand({ capacity: 12, shared: 1 }));
    const [firstShared, firstOwn] = [
      numbers(Object.values(session.learner.weights.model)[0]),
      numbers(held(session)[0]!.model),
    ];
    reach(session, 1, "train");
    expect(numbers(held(session)[1]!.model)).toEqual(firstOwn);
    reach(session, 1, "evaluate");
    const parts = held(session);
    const whole = Object.keys(session.learner.weights.model);
    for (const k of [0, 1]) expect(Object.keys(parts[k]!.model)).toEqual(whole.slice(1));
    expect(numbers(parts[0]!.model)).toEqual(firstOwn);
    const common = session.learner.weights.model[whole[0]!] as unknown as { kernel: tf.Tensor2D; bias: tf.Tensor1D };
    expect(numbers(common)).not.toEqual(firstShared);
    const x = tf.tensor2d([[0.3, -0.2, 0.9]]);
    const dense = (at: tf.Tensor, { kernel, bias }: { kernel: tf.Tensor2D; bias: tf.Tensor1D }) =>
      tf.relu(tf.add(tf.matMul(at as tf.Tensor2D, kernel), bias));
    const { bias } = session.learner.weights.added!.derExpand as unknown as { bias: tf.Tensor };
    const wanted = [0, 1].reduce((sum: tf.Tensor, k) => {
      const features = Object.values(parts[k]!.model).reduce(dense, dense(x, common));
      return tf.add(sum, tf.matMul(features as tf.Tensor2D, parts[k]!.kernel));
    }, bias);
    const plain = ({ weights }: { weights: never }) => ({
      features: session.network.features(weights, x, { ...untapped, at: () => untapped } as never),
    });
    const { logits } = derExpand({ capacity: 12, shared: 1 }).hooks.forward!(
      { tensors: { used: [tf.scalar(0), tf.scalar(1)], statistics: [{}] } } as never,
      { weights: session.learner.weights, plain } as never,
    );
    const got = logits.dataSync();
    tf.reshape(wanted, [-1])
      .dataSync()
      .forEach((value, i) => {
        expect(got[i]).toBeCloseTo(value, 4);
      });
    session.dispose();
    expect(() => run(spec(over, [derExpand({ shared: 2 })]))).toThrow(
      "derExpand: fewer shared layers than the 2 with weights are required, got 2",
    );
  });

  test("the second stage is at the minimum of the cross-entropy of the exemplars: its slope is nothing but the decay's", () => {
    const decay = 0.01;
    const session = learntTo(1, derExpand({ capacity: 12, rounds: 3000, decay }));
    const { states } = decode(session.save()) as unknown as {
      states: { derExpand: { exemplars: { scale: number; classes: Map<number, Float32Array> } } };
    };
    const parts = held(session);
    const bias = (session.learner.weights.added!.derExpand as unknown as { bias: tf.Tensor1D }).bias.arraySync();
    const kernel = [...parts[0]!.kernel.arraySync(), ...parts[1]!.kernel.arraySync()];
    const rows = [...states.derExpand.exemplars.classes].flatMap(([label, flat]) =>
      Array.from({ length: flat.length / 3 }, (_, i) => ({ label, x: [...flat.subarray(3 * i, 3 * i + 3)] })),
    );
    expect(rows).toHaveLength(12);
    const features = rows.map(({ x }) =>
      [0, 1].flatMap((k) =>
        Object.values(parts[k]!.model).reduce((at, layer) => {
          const w = layer.kernel.arraySync();
          return layer.bias.arraySync().map((b, c) =>
            Math.max(
              0,
              at.reduce((sum, v, i) => sum + v * w[i]![c]!, b),
            ),
          );
        }, x),
      ),
    );
    const slope = kernel.map((row) => row.map((w) => decay * w));
    features.forEach((f, n) => {
      const powers = bias.map((b, c) => Math.exp(f.reduce((sum, v, i) => sum + v * kernel[i]![c]!, b)));
      const total = powers.reduce((a, b) => a + b, 0);
      powers.forEach((p, c) => {
        const by = (p / total - +(c === rows[n]!.label)) / rows.length;
        f.forEach((v, i) => {
          slope[i]![c]! += v * by;
        });
      });
    });
    expect(Math.max(...slope.flat().map(Math.abs))).toBeLessThan(2e-4);
    expect(Math.max(...kernel.flat().map(Math.abs))).toBeGreaterThan(0.05);
    session.dispose();
  });

  test("the auxiliary term begins with the second experience", () => {
    const terms = run(spec(over, [derExpand({ capacity: 12 })])).events.flatMap((e) =>
      e.type === "step" ? [[e.experience, e.terms.derExpand!] as const] : [],
    );
    expect(terms.filter(([at]) => at === 0).every(([, value]) => value === 0)).toBe(true);
    expect(terms.filter(([at]) => at > 0).every(([, value]) => value > 0)).toBe(true);
  });

  test("the auxiliary term is the cross-entropy of the new features alone, over the new classes and one for all that is older", () => {
    const [rng, width, columns] = [random(4), 3, 6];
    const drawn = (shape: number[], name: string): tf.Tensor => rng.at(name).normals(shape);
    const features = drawn([4, 2 * width], "features");
    const y = [3, 0, 2, 1];
    const open = [0, 0, 1, 1, 0, 0, 1];
    const own = { model: {}, kernel: drawn([width, columns], "k"), auxKernel: drawn([width, columns + 1], "a") };
    const auxBias = drawn([columns + 1], "b");
    const weights = { added: { derExpand: { 0: {}, 1: { ...own, auxBias }, bias: tf.zeros([columns]) } } };
    const { loss } = derExpand({ capacity: 12, auxiliary: 0.7 }).hooks;
    const got = loss!(
      { tensors: { used: [tf.scalar(0), tf.scalar(1)], statistics: [], open: tf.tensor2d([open]) } } as never,
      { features, y: tf.tensor1d(y, "int32"), weight: null, weights, crossEntropy } as never,
    );
    const [f, k, b] = [features, own.auxKernel, auxBias].map((t) => t.arraySync()) as [
      number[][],
      number[][],
      number[],
    ];
    const each = y.map((label, i) => {
      const z = b.map((start, c) => k.reduce((sum, row, j) => sum + f[i]![width + j]! * row[c]!, start));
      const among = [2, 3, columns];
      const wanted = open[label] === 1 ? label : columns;
      return Math.log(among.reduce((sum, c) => sum + Math.exp(z[c]!), 0)) - z[wanted]!;
    });
    expect(got.dataSync()[0]).toBeCloseTo((0.7 * each.reduce((a, v) => a + v)) / 4, 4);
  });

  test("each extractor keeps the running statistics of its experience: the library's own residual network", () => {
    const rng = random(3).at("images");
    const labels = Array.from({ length: 48 }, (_, i) => i % 4);
    const pixels = Float32Array.from(
      { length: 48 * 36 },
      (_, i) => rng.uniform() + (i % 4 === labels[Math.floor(i / 36)] ? 1 : 0),
    );
    const data = fromArrays(pixels, labels, { shape: [6, 6, 1], kind: "image", test: { x: pixels, y: labels } });
    const images = split(2)(classes(data)) as unknown as Stream;
    const model = resnet18({ filters: 1 }) as never;
    const session = open(spec(images, [derExpand({ capacity: 12, rounds: 20 })], { model }), 0, "test");
    reach(session, 0, "evaluate");
    const first = numbers(session.learner.statistics as never);
    reach(session, 1, "evaluate");
    const { states } = decode(session.save()) as unknown as {
      states: { derExpand: { tensors: { statistics: object[] } } };
    };
    expect(numbers(states.derExpand.tensors.statistics[0] as never)).toEqual(first);
    expect(numbers(session.learner.statistics as never)).not.toEqual(first);
    // by hand: the first extractor under its own statistics, the second under those of now
    const table = images.test(0).examples;
    const judge = evaluator(session.network, [derExpand({ capacity: 12 })]);
    const frozen = frozenOf([derExpand({ capacity: 12 })], states as never, session.learner, session.learner.weights);
    const { features } = judge.outputs(frozen, table, null);
    const x = tf.tensor(gather(table, Uint32Array.from(table.labels.keys())), [table.length, 6, 6, 1]);
    const parts = held(session);
    const wanted = [states.derExpand.tensors.statistics[0]!, session.learner.statistics].map((statistics, k) =>
      session.network.model.apply(parts[k]!.model as never, x, tape(false, null, statistics as never).mode),
    );
    const both = tf.concat(wanted, 1).dataSync();
    expect(Math.max(...both.map((v, i) => Math.abs(v - features[i]!)))).toBeLessThan(1e-4);
    session.dispose();
  });

  test("the share of open weights is that of the gates by hand, and pruning leaves what the gates leave", () => {
    const strategy = derExpand({ capacity: 12, rounds: 0, sparsity: 0.5, sharpest: 8, auxiliary: 0 });
    const session = open(spec(over, [strategy]), 0, "test");
    reach(session, 0, "train");
    const gates = (): number[][] =>
      Object.values((held(session)[0] as unknown as Gated).gates).map((e) => [...e.dataSync()]);
    const before = gates();
    // the sharpness of the first step of an epoch is 1/8
    const open0 = before.map((row) => row.map((e) => 1 / (1 + Math.exp(-e / 8))));
    const kernels = Object.values(held(session)[0]!.model).map(({ kernel }) => kernel.shape);
    const total = (row: number[]): number => row.reduce((a, b) => a + b, 0);
    let [some, all] = [0, 0];
    kernels.forEach(([inputs, units], l) => {
      some += total(open0[l]!) * (l === 0 ? inputs : total(open0[l - 1]!));
      all += inputs * units;
    });
    session.advance();
    const step = session.queue.find((event) => event.type === "step") as { terms: Record<string, number> };
    expect(step.terms.derExpand).toBeCloseTo((0.5 * some) / all, 4);
    reach(session, 0, "evaluate");
    const after = gates();
    expect(after.flat().every((e) => Math.abs(e) === 1000)).toBe(true);
    Object.values(held(session)[0]!.model).forEach(({ kernel, bias }, l) => {
      const columns = kernel.arraySync();
      after[l]!.forEach((e, unit) => {
        const zero = columns.every((row) => row[unit] === 0) && bias.arraySync()[unit] === 0;
        expect(zero).toBe(e < 0);
      });
    });
    const note = session.queue.find((event) => event.type === "note") as { text: string } | undefined;
    const kept = after.map((row) => row.filter((e) => e > 0).length);
    const left = kernels.reduce((sum, [inputs], l) => sum + kept[l]! * (l === 0 ? inputs : kept[l - 1]!), 0) / all;
    expect(note?.text).toBe(`extractor 0 keeps ${(100 * left).toFixed(1)} % of its weights`);
    const [first, second] = [numbers(held(session)[0]!.model), [...session.queue]];
    advance(session);
    expect(numbers(held(session)[0]!.model)).toEqual(first);
    expect(second.length).toBeGreaterThan(0);
    session.dispose();
  });

  test("a stronger pull leaves fewer weights", () => {
    const left = (sparsity: number): number => {
      const settings = { optimizer: adam({ lr: 0.05 }), training: training({ batch: 10, epochs: 8 }) };
      const { events } = run(spec(over, [derExpand({ capacity: 12, rounds: 0, sparsity })], settings));
      const texts = events.flatMap((e) => (e.type === "note" ? [Number(/keeps (.*) %/.exec(e.text)![1])] : []));
      return texts.reduce((a, b) => a + b) / texts.length;
    };
    const [strong, weak] = [left(5), left(1e-3)];
    expect(strong).toBeLessThan(weak / 2);
  });
});

interface Gated {
  readonly gates: Record<string, tf.Tensor>;
}

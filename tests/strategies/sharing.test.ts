import { apollo, classes, digits, mindSkip, network, random, tf, tieLayers, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { decide, drawnValues, tie, worth } from "../../lib/strategies/architecture/tie-layers.ts";
import { begun, block, blockPaths, sequences } from "./attentive.ts";
import { hooksOf, stepOf } from "./by-hand.ts";

const rows = [...Array(3).keys()].map((i) => Array.from({ length: 12 }, (_, j) => Math.sin(i * 5 + j)));
const y = [0, 2, 1];
const numbers = (x: unknown): number[] => [...(x as tf.Tensor).dataSync()];
const [one, two] = blockPaths.map((path) => path.slice(6)) as [string, string];
type Blocks = Record<string, Record<string, Record<string, tf.Tensor>>>;

describe("blocks that are tied", () => {
  test("have the sum of their gradients and the weights of the first", () => {
    const { net, weights } = begun();
    const map = tf.tensor2d([
      [1, 0],
      [1, 0],
    ]);
    const step = stepOf({ net, weights, x: rows, y, extra: { map } });
    const hooks = hooksOf(tieLayers());
    const [a, b] = [one, two].map((name) => numbers((weights.model as Blocks)[name]!.up!.kernel)) as [
      number[],
      number[],
    ];
    const tied = hooks.gradient({}, weights, step).model as Blocks;
    const moved = hooks.weights({}, { after: weights } as never, step).model as Blocks;
    for (const name of [one, two]) {
      numbers(tied[name]!.up!.kernel).forEach((g, i) => {
        expect(g).toBeCloseTo(a[i]! + b[i]!, 5);
      });
      expect(numbers(moved[name]!.up!.kernel)).toEqual(a);
    }
    const alone = stepOf({ net, weights, x: rows, y, extra: { map: tf.eye(2) } });
    expect(numbers((hooks.gradient({}, weights, alone).model as Blocks)[two]!.up!.kernel)).toEqual(b);
  });

  test("choose one after the other by what a network says, which learns what came of it", () => {
    const values = drawnValues(3, random(4));
    const memory = {
      roots: new Int32Array(3),
      chosen: new Int32Array(3),
      values,
      now: { sum: 4, count: 2, decisions: 0, last: null as Parameters<typeof decide>[0]["now"]["last"] },
    };
    const greedy = { epsilon: 0, discount: 0.9, rate: 0.01 };
    const state = Float64Array.of(0, 0, 0);
    const [first, second] = [worth(values, state).subarray(1, 3), worth(values, state).subarray(3, 6)];
    decide(memory, random(1), greedy);
    const action = first[1]! > first[0]! ? 1 : 0;
    expect([...memory.chosen]).toEqual([0, action, 0]);
    expect(memory.now).toEqual({ sum: 0, count: 0, decisions: 1, last: { before: state, block: 1, action } });
    expect(second.length).toBe(3);
    // the loss was 1.5 since: the choice was worth −e^1.5 and nine tenths of the best that its block can choose now
    const after = Float64Array.from(memory.chosen);
    const wanted = -Math.exp(1.5) + 0.9 * Math.max(...worth(values, after).subarray(1, 3));
    const had = values.numbers.slice();
    const errorAt = (i: number, off: number): number => {
      const moved = had.slice();
      moved[i]! += off;
      return (worth({ ...values, numbers: moved }, state)[1 + action]! - wanted) ** 2;
    };
    Object.assign(memory.now, { sum: 3, count: 2 });
    decide(memory, random(1), greedy);
    expect(memory.now.last!.block).toBe(2);
    had.forEach((x, i) => {
      const slope = (errorAt(i, 1e-5) - errorAt(i, -1e-5)) / 2e-5;
      // a first step of Adam is as long as the rate, and numbers are drawn to 0 before it
      const step = Math.abs(slope) < 1e-6 ? 0 : Math.sign(slope);
      expect(values.numbers[i]).toBeCloseTo(x * (1 - 1e-4) - 0.01 * step, 5);
    });
  });

  test("are followed to their root, and keep their weights when it goes", () => {
    const roots = Int32Array.of(0, 1, 2, 2, 2);
    tie(roots, 1, 0);
    expect([...roots]).toEqual([0, 0, 2, 2, 2]);
    tie(roots, 2, 1); // 1 has the weights of 0; 3 and 4 go on by themselves, together
    expect([...roots]).toEqual([0, 0, 0, 3, 3]);
    tie(roots, 4, 4);
    tie(roots, 2, 2);
    expect([...roots]).toEqual([0, 0, 2, 3, 4]);
  });

  test("a run says how many have weights of their own, and the others are equal", async () => {
    const study = classes(digits())
      .split(1)
      .limit({ train: 60, test: 20 })
      .learn(vit({ patch: 4, width: 8, depth: 3, heads: 2, widen: 1 }))
      .by(tieLayers({ every: 2, epsilon: 1 }))
      .train({ batch: 10, epochs: 2 });
    const made = await (await study.run({ quiet: true, record: false })).network();
    const kernels = [1, 2, 3].map((k) => numbers((made.weights.model as Blocks)[`block${k}`]!.up!.kernel).join());
    expect(new Set(kernels).size).toBeLessThanOrEqual(3);
    const flat = network(vit({ patch: 4, width: 8, depth: 1, heads: 2 }), [8, 8, 1]);
    expect(() => hooksOf(tieLayers()).init({ network: flat, weights: flat.init(random(1), 2) } as never)).toThrow(
      "at least two blocks of attention in a row that are alike",
    );
  });
});

describe("a network that learns to be deeper", () => {
  test("learns at the depth that is drawn, its blocks standing in for others", () => {
    const { net, weights } = begun();
    const map = tf.tensor2d([
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 1],
    ]);
    const step = stepOf({ net, weights, x: rows, y, extra: { map, gates: tf.tensor1d([1, 1, 1, 0]) } });
    const [a, b] = [one, two].map((name) => weights.model[name] as never);
    const last = block(b!, block(a!, block(a!, sequences(rows))));
    const features = tf.reshape(tf.slice(last, [0, 0, 0], [3, 1, 4]), [3, 4]);
    const { kernel, bias } = weights.head as unknown as { kernel: tf.Tensor2D; bias: tf.Tensor };
    const logits = tf.add(tf.matMul(features as tf.Tensor2D, kernel), bias);
    const wanted = tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(tf.tensor1d(y, "int32"), 3)), -1)));
    expect(numbers(hooksOf(apollo({ depth: 4 })).taskLoss({}, step))[0]).toBeCloseTo(numbers(wanted)[0]!, 5);
  });

  test("draws shallow depths more often, and maps blocks as interpolation does", () => {
    const { net } = begun();
    const hooks = hooksOf(apollo({ depth: 6 }));
    const counts = new Map<number, number>();
    for (let step = 0; step < 2000; step++) {
      const { extra } = hooks.batch({}, { extra: {} } as never, { network: net, rng: random(3), step } as never);
      const { gates, map } = extra.apollo!;
      const drawn = [...gates!.data].reduce((a, b) => a + b, 0);
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
      for (let i = 0; i < drawn; i++) expect(map!.data[i * 2 + Math.floor((i * 2) / drawn)]).toBe(1);
    }
    // m / (x + n) is 3.4 at 1e-6 and 0.6 at 1: it is at least d / 2 for x up to 2 m / d − n
    const n = (0.6 - 3.4e-6) / 2.8;
    const m = 0.6 * (1 + n);
    const upTo = (d: number): number => (d <= 2 ? 1 : d > 6 ? 0 : (2 * m) / d - n);
    expect(m / (1e-6 + n)).toBeCloseTo(3.4, 5);
    for (const d of [2, 3, 4, 5, 6]) {
      const share = counts.get(d)! / 2000;
      expect(Math.abs(share - (upTo(d) - upTo(d + 1)))).toBeLessThan(0.03);
    }
    expect(() => hooksOf(apollo({ depth: 2 })).init({ network: net } as never)).toThrow("above the network's 2");
  });
});

describe("attention that is skipped", () => {
  /** The network with a router for each block, and what it answers. */
  const answers = (bias: readonly [number, number], without: readonly string[] = []) => {
    const routers = Object.fromEntries(
      bias.map((b, i) => [`${i}`, { kernel: tf.zeros([4, 1]), bias: tf.tensor1d([b]) }]),
    );
    const { net, weights } = begun({ mindSkip: routers });
    const still = (tree: object): object =>
      Object.fromEntries(Object.entries(tree).map(([name, x]) => [name, tf.zerosLike(x as tf.Tensor)]));
    const model = Object.fromEntries(
      Object.entries(weights.model as Blocks).map(([name, tree]) => [
        name,
        without.includes(name) ? { ...tree, out: still(tree.out!) } : tree,
      ]),
    );
    return stepOf({
      net,
      weights: { ...weights, model } as never,
      x: rows,
      y,
      through: { strategy: mindSkip({ share: 0.25, penalty: 2 }), state: {} },
    });
  };

  test("answers as the network where routers are open, and as without its attention where they are shut", () => {
    const plain = stepOf({ ...begun(), x: rows, y });
    const open = answers([3, 3]);
    const close = (a: tf.Tensor, b: tf.Tensor): void => {
      numbers(a).forEach((x, i) => {
        expect(x).toBeCloseTo(numbers(b)[i]!, 4);
      });
    };
    close(open.logits, plain.logits);
    close(answers([3, -3]).logits, answers([3, 3], [two]).logits);
    expect(numbers(hooksOf(mindSkip({ share: 0.25, penalty: 2 })).loss({}, open))[0]).toBeCloseTo(2 * 0.75, 5);
    expect(numbers(hooksOf(mindSkip({ share: 0.25, penalty: 2 })).loss({}, answers([3, -3])))[0]).toBeCloseTo(0.75, 5); // a shut one costs nothing
  });

  test("trains routers and the head alone", () => {
    const { trains } = hooksOf(mindSkip());
    const paths = ["added/mindSkip/0/kernel", "head/kernel", "model/block1/up/kernel"];
    expect(paths.map(trains)).toEqual([true, true, false]);
  });
});

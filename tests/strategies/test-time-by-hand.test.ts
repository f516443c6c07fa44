import {
  cotta,
  dynamicEvaluation,
  errorMemory,
  evaluator,
  lame,
  memo,
  mlp,
  net,
  network,
  random,
  rmt,
  table,
  testTime,
  tf,
  type Weights,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { mapTensors, scan, valueAndGrad } from "../../lib/engine/index.ts";
import { emptyBank, keptBest } from "../../lib/strategies/parts/test-bank.ts";
import { hooksOf } from "./by-hand.ts";
import { numbers } from "./support.ts";

describe("by hand", () => {
  test("cotta brings back about as many weights as it is told to", () => {
    const model = net().dense(40).batchNorm().relu();
    const made = network(model, [30]);
    const weights = made.init(random(1), 3);
    const own = cotta({ restore: 0.25, views: 0, lr: 0.1, reset: "round", batch: 20, shuffle: false });
    const state = own.hooks.init!({ weights, columns: 3, network: made } as never);
    const time = testTime(made, [own], evaluator(made, [own]), null)!;
    const frozen = { weights, statistics: made.statistics(), states: { cotta: state } };
    time.predict(
      frozen as never,
      table(new Float32Array(random(2).normals([20, 30]).dataSync()), new Int32Array(20), [30], 1),
      null,
      null,
      random(0),
    );
    const [before, after] = [numbers(weights), numbers(time.held!.weights)];
    const still = after.filter((x, i) => x === before[i]).length / after.length;
    expect(still).toBeGreaterThan(0.2);
    expect(still).toBeLessThan(0.32);
    time.end();
  });

  test("the memory of rotta gives each class its share, keeps what is certain and recent, and drops what is worse", () => {
    type Item = { label: number; doubt: number; age: number };
    const [capacity, columns] = [6, 3];
    const offered = Array.from({ length: 40 }, (_, i) => ({
      label: [0, 0, 0, 1, 0, 2][i % 6]!,
      doubt: ((i * 37) % 100) / 100,
    }));
    // the rule as its paper tells it, one example after the other
    const kept: Item[] = [];
    const score = (item: Item): number => 1 / (1 + Math.exp(-item.age / capacity)) + item.doubt;
    for (const { label, doubt } of offered) {
      const counts = [0, 1, 2].map((c) => kept.filter((item) => item.label === c).length);
      const fresh = { label, doubt, age: 0 };
      if (counts[label]! < capacity / columns && kept.length < capacity) kept.push(fresh);
      else {
        const from =
          counts[label]! < capacity / columns ? [0, 1, 2].filter((c) => counts[c] === Math.max(...counts)) : [label];
        const worst = kept.filter((item) => from.includes(item.label)).reduce((a, b) => (score(b) >= score(a) ? b : a));
        if (score(worst) > score(fresh)) kept[kept.indexOf(worst)] = fresh;
      }
      for (const item of kept) item.age++;
    }
    const xs = {
      x: tf.tensor2d(
        offered.map((_, i) => [i]),
        [40, 1],
      ),
      label: tf.tensor1d(offered.map(({ label }) => label)),
      doubt: tf.tensor1d(offered.map(({ doubt }) => doubt)),
    };
    const [bank] = scan(keptBest(capacity, 1, 1), emptyBank(capacity, [1], columns), xs, {});
    const [labels, ages] = [bank.label.dataSync(), bank.age.dataSync()];
    const told = Array.from({ length: capacity }, (_, i) => `${labels[i]}:${ages[i]}`).sort();
    expect(told).toEqual(kept.map(({ label, age }) => `${label}:${age}`).sort());
    expect(bank.filled.dataSync()).toEqual(new Float32Array(capacity).fill(1));
  });

  test("memo takes a step down the entropy of an example's mean prediction, with all weights", () => {
    const model = mlp({ hidden: [5] });
    const made = network(model, [3]);
    const weights = made.init(random(1), 3);
    const x = [[0.5, -1, 2]];
    const forward = (rows: tf.Tensor, { weights: at = weights } = {}) => {
      const z = tf.add(
        tf.matMul(
          tf.relu(
            tf.add(
              tf.matMul(rows as tf.Tensor2D, (at.model["2-dense"] as { kernel: tf.Tensor2D }).kernel),
              (at.model["2-dense"] as { bias: tf.Tensor }).bias,
            ),
          ) as tf.Tensor2D,
          at.head.kernel as tf.Tensor2D,
        ),
        at.head.bias as tf.Tensor,
      );
      return { logits: z, features: rows, statistics: {} };
    };
    const { grads } = valueAndGrad((at: Weights) => {
      const { logits: z } = forward(tf.tensor2d(x), { weights: at });
      return tf.neg(tf.sum(tf.mul(tf.softmax(z), tf.logSoftmax(z)))) as tf.Scalar;
    }, weights);
    const moved = mapTensors((w, g) => tf.sub(w, tf.mul(g!, 0.1)), weights, grads);
    const hooks = hooksOf(memo({ lr: 0.1, views: 0 }));
    const { logits } = hooks.adapt({}, {
      weights,
      statistics: {},
      x: tf.tensor2d(x),
      mask: null,
      rng: random(0),
      forward,
    } as never) as { logits: tf.Tensor };
    const wanted = forward(tf.tensor2d(x), { weights: moved }).logits.dataSync();
    logits.dataSync().forEach((z, i) => {
      expect(z).toBeCloseTo(wanted[i]!, 5);
    });
  });

  test("dynamic evaluation moves weights by its formula", () => {
    const hooks = hooksOf(dynamicEvaluation({ lr: 0.1, decay: 0.2, epsilon: 0.01 }));
    const weights = { model: { k: tf.tensor1d([1, -2, 3]) }, head: {} } as unknown as Weights;
    const source = { model: { k: tf.tensor1d([0.5, 0.5, 0.5]) }, head: {} } as unknown as Weights;
    const squares = { model: { k: tf.tensor1d([0.04, 0.25, 9]) }, head: {} } as unknown as Weights;
    // a bigram model of three tokens: the logit of a token is k at it, times the token before
    const x = tf.tensor2d([[1, 2, 0, 2]]);
    const logitsOf = (k: tf.Tensor): tf.Tensor => tf.mul(tf.reshape(x, [1, 4, 1]), tf.reshape(k, [1, 1, 3]));
    const forward = (_rows: tf.Tensor, { weights: at = weights } = {}) => ({
      logits: logitsOf((at.model as { k: tf.Tensor }).k),
    });
    const out = hooks.adapt({ tensors: { squares }, carried: { begun: tf.scalar(1), held: { source } } }, {
      weights,
      x,
      forward,
    } as never) as { weights: Weights };
    const k = [1, -2, 3];
    const g = [0, 0, 0];
    for (const [before, after] of [
      [1, 2],
      [2, 0],
      [0, 2],
    ] as const) {
      const e = k.map((v) => Math.exp(v * before));
      const sum = e.reduce((a, b) => a + b, 0);
      e.forEach((v, i) => {
        g[i]! += ((v / sum - (i === after ? 1 : 0)) * before) / 3;
      });
    }
    const roots = [0.2, 0.5, 3];
    const mean = roots.reduce((a, b) => a + b, 0) / 3;
    const wanted = k.map(
      (w, i) => w + 0.2 * Math.min(roots[i]! / mean, 5) * (0.5 - w) - (0.1 * g[i]!) / (roots[i]! + 0.01),
    );
    (out.weights.model as { k: tf.Tensor }).k.dataSync().forEach((w, i) => {
      expect(w).toBeCloseTo(wanted[i]!, 5);
    });
  });

  test("lame gives each example what its nearest neighbour is predicted as, by knn", () => {
    const features = tf.tensor2d([
      [1, 0],
      [1, 0.1],
      [0, 1],
      [0.3, 1],
    ]);
    const logits = tf.tensor2d([
      [3, 0],
      [0, 1],
      [0, 2],
      [1, 0],
    ]);
    const hooks = hooksOf(lame({ affinity: "knn", neighbours: 1, rounds: 1 }));
    const found = hooks.adapt({}, { x: features, mask: null, forward: () => ({ features, logits }) } as never) as {
      logits: tf.Tensor;
    };
    const p = tf.softmax(logits).arraySync() as number[][];
    const wanted = [1, 0, 3, 2].flatMap((j, i) => p[i]!.map((own, c) => Math.log(own) + p[j]![c]!));
    found.logits.dataSync().forEach((z, i) => {
      expect(z).toBeCloseTo(wanted[i]!, 5);
    });
  });

  test("an error memory answers by the errors of the nearest examples, the newest taking the place of the oldest", () => {
    const hooks = hooksOf(errorMemory({ slots: 3, nearest: 2, temperature: 0.1, scale: 0.5 }));
    let state = hooks.init({ network: { width: [2] }, columns: 2 } as never) as { carried: Record<string, tf.Tensor> };
    const learn = (features: number[][], y: number[]): void => {
      const logits = tf.zeros([y.length, 2]);
      const step = {
        features: tf.tensor2d(features),
        logits,
        y: tf.tensor1d(y, "int32"),
        mask: null,
        current: y.length,
      };
      state = { carried: hooks.update(state, {} as never, step as never) as Record<string, tf.Tensor> };
    };
    learn(
      [
        [1, 0],
        [0, 1],
      ],
      [0, 1],
    );
    learn(
      [
        [1, 0.1],
        [0.1, 1],
      ],
      [0, 1],
    );
    expect([...state.carried.filled!.dataSync()]).toEqual([1, 1, 1]);
    const found = hooks
      .predict(state, { features: tf.tensor2d([[1, 0.05]]), logits: tf.zeros([1, 2]) } as never)
      .dataSync();
    // the two nearest are [1, 0.1] and [1, 0]; both were of class 0, predicted 0.5: the error is 0.5
    expect(found[0]!).toBeCloseTo(Math.log(0.5 + 0.5 * 0.5), 5);
    expect(found[1]!).toBeCloseTo(Math.log(0.5 - 0.5 * 0.5), 5);
  });

  test("rmt keeps the class means of the training data's features, and examples that come again", () => {
    const hooks = hooksOf(rmt({ capacity: 4 }));
    const made = network(mlp({ hidden: [2] }), [2]);
    const context = {
      network: made,
      weights: made.init(random(0), 3),
      columns: 3,
      experience: 0,
      rng: random(0),
      outputs: () => ({ features: Float32Array.of(1, 2, 3, 4, 5, 6), logits: new Float32Array(9) }),
    };
    const train = table(Float32Array.of(1, 1, 2, 2, 3, 3), Int32Array.of(0, 0, 2), [2], 1);
    const { tensors } = hooks.afterExperience(hooks.init(context as never), { train } as never, context as never) as {
      tensors: Record<string, tf.Tensor>;
    };
    expect([...tensors.means!.dataSync()]).toEqual([2, 3, 0, 0, 5, 6]);
    expect([...tensors.met!.dataSync()]).toEqual([1, 0, 1]);
    expect([...tensors.x!.dataSync()]).toEqual([1, 1, 2, 2, 3, 3, 0, 0]);
    expect(tensors.filled!.dataSync()[0]).toBe(3);
  });
});

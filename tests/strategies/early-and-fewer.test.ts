/** Transformers that stop early where they are sure, and such as see some places alone in training. */
import {
  classes,
  depthAdaptive,
  digits,
  type Model,
  net,
  network,
  type Params,
  random,
  randomLtd,
  stoppedAt,
  tf,
  vit,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { haltingOf, oracle } from "../../lib/strategies/parts/halting.ts";
import { keptPlaces } from "../../lib/strategies/regularisation/random-ltd.ts";
import { begun, block, blockPaths, sequences } from "./attentive.ts";
import { hooksOf, noisy, stepOf } from "./by-hand.ts";

const rows = [...Array(3).keys()].map((i) => Array.from({ length: 12 }, (_, j) => Math.sin(i * 5 + j)));
const y = [0, 2, 1];
const value = (x: tf.Tensor): number => x.dataSync()[0]!;
const dense = (x: tf.Tensor, head: object): tf.Tensor => {
  const { kernel, bias } = head as { kernel: tf.Tensor2D; bias: tf.Tensor };
  return tf.add(tf.matMul(x as tf.Tensor2D, kernel), bias);
};
const first = (x: tf.Tensor): tf.Tensor => tf.reshape(tf.slice(x, [0, 0, 0], [3, 1, 4]), [3, 4]);
const entropy = (logits: tf.Tensor): number =>
  value(tf.mean(tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(tf.tensor1d(y, "int32"), 3)), -1))));

describe("P131: depthAdaptive", () => {
  const own = { "0": { kernel: random(8).normals([4, 3]), bias: random(9).normals([3]) } };
  const exits = (weights: ReturnType<typeof begun>["weights"]): tf.Tensor[] => {
    const params = blockPaths.map((path) => weights.model[path.slice(6)] as never);
    const one = block(params[0]!, sequences(rows));
    return [dense(first(one), own["0"]), dense(first(block(params[1]!, one)), weights.head)];
  };

  test("asks each exit by a classifier of its own", () => {
    const { net, weights } = begun({ depthAdaptive: own });
    const [one, two] = exits(weights).map(entropy);
    const step = stepOf({ net, weights, x: rows, y });
    expect(value(hooksOf(depthAdaptive()).taskLoss({}, step))).toBeCloseTo((one! + two!) / 2, 4);
    const deep = hooksOf(depthAdaptive({ weights: "depth" })).taskLoss({}, step);
    expect(value(deep)).toBeCloseTo((one! + 2 * two!) / 3, 4);
  });

  test("answers by the first exit that is sure enough, at each place", () => {
    const sure = tf.tensor3d([
      [
        [4, 0],
        [0, 0],
      ],
    ]);
    const last = tf.tensor3d([
      [
        [0, 1],
        [2, 3],
      ],
    ]);
    const { logits, at } = stoppedAt([sure, last], 0.9);
    expect([...logits.dataSync()]).toEqual([4, 0, 2, 3]);
    expect([...at.dataSync()]).toEqual([0, 1]);
    expect([...stoppedAt([sure, last], 1.1).at.dataSync()]).toEqual([1, 1]);
  });

  test("learned halting: probabilities, the oracle and the loss by hand", () => {
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const one = (...values: number[]): Params => ({
      kernel: tf.tensor2d(values, [values.length, 1]),
      bias: tf.zeros([1]),
    });
    const features = [tf.tensor2d([[1, 2]]), tf.tensor2d([[3, -1]]), tf.tensor2d([[5, 5]])];
    const halts = { halt0: one(1, -1), halt1: one(0.5, 0) };
    const [a, b] = [sigmoid(-1), sigmoid(1.5)];
    const said = [...haltingOf("geometric", features, halts).dataSync()];
    [a, (1 - a) * b, (1 - a) * (1 - b)].forEach((p, n) => void expect(Math.exp(said[n]!)).toBeCloseTo(p, 5));
    // two exits at three places, where nothing is asked at the last: losses log 2 and log(1 + e) or log(1 + 1/e)
    const exits = [
      tf.zeros([1, 3, 2]),
      tf.tensor3d([
        [
          [1, 0],
          [0, 1],
          [9, 0],
        ],
      ]),
    ];
    const wanted = tf.tensor2d([[0, 0, -1]]);
    const asked = tf.tensor2d([[1, 1, 0]]);
    const best = (price: number, near: number): number[] => [
      ...oracle(exits, wanted, asked, null, price, near).dataSync(),
    ];
    expect(best(0, 0)).toEqual([1, 0, 0]);
    expect(best(0.5, 0)).toEqual([0, 0, 0]);
    // of the first place 0.693 − 0.313 is won and e^(−1/near) (1.313 − 0.693) lost
    expect(best(0, 1.9)).toEqual([1, 0, 0]);
    expect(best(0, 2.2)).toEqual([0, 0, 0]);
  });

  test("learned halting adds what it misses of the oracle to the loss, without a gradient to what it is asked of", () => {
    const halt0 = { kernel: random(5).normals([4, 2]), bias: random(6).normals([2]) };
    const { net, weights } = begun({ depthAdaptive: { ...own, halt0 } });
    const logits = exits(weights);
    const rowLosses = logits.map((of) => [
      ...tf.neg(tf.sum(tf.mul(tf.logSoftmax(of), tf.oneHot(tf.tensor1d(y, "int32"), 3)), -1)).dataSync(),
    ]);
    const best = rowLosses[0]!.map((loss, i) => (loss + 0.05 <= rowLosses[1]![i]! + 0.1 ? 0 : 1));
    const asks = dense(first(block(weights.model[blockPaths[0]!.slice(6)] as never, sequences(rows))), halt0);
    const missed = value(
      tf.mean(tf.neg(tf.sum(tf.mul(tf.logSoftmax(asks), tf.oneHot(tf.tensor1d(best, "int32"), 2)), -1))),
    );
    const step = stepOf({ net, weights, x: rows, y });
    const plain = value(hooksOf(depthAdaptive()).taskLoss({}, step));
    const learned = hooksOf(depthAdaptive({ halting: "multinomial", share: 0.5 })).taskLoss({}, step);
    expect(value(learned)).toBeCloseTo(plain + 0.5 * missed, 4);
    const out = hooksOf(depthAdaptive({ halting: "multinomial" })).predict!({}, step as never);
    const at = [...tf.argMax(asks, -1).dataSync()];
    const wanted = at.flatMap((n, i) => [...tf.slice(logits[n]!, [i, 0], [1, 3]).dataSync()]);
    [...(out as tf.Tensor).dataSync()].forEach((v, i) => void expect(v).toBeCloseTo(wanted[i]!, 4));
  });

  test("a run of it predicts by exits", async () => {
    const run = await classes(digits())
      .split(1)
      .limit({ train: 40, test: 20 })
      .learn(vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 1 }))
      .by(depthAdaptive({ halting: "geometric" }))
      .train({ batch: 20, epochs: 1 })
      .run({ quiet: true, record: false });
    expect(Number.isFinite(run.matrix({ seed: 0 }).values[0]![0])).toBe(true);
  });
});

describe("P261: randomLtd", () => {
  const model = net()
    .reshape([3, 4])
    .transformer(2, { causal: false })
    .transformer(2, { causal: false })
    .transformer(2, { causal: false })
    .first() as unknown as Model;
  const own = network(model, [12]);
  const weights = noisy(own.init(random(1), 3), random(2));

  test("middle blocks see the kept places alone, and the others pass by", () => {
    const at = tf.tensor2d([[0, 2]], [1, 2], "int32");
    const step = stepOf({ net: own, weights, x: rows, y, extra: { kept: at } });
    const params = [2, 3, 4].map((i) => weights.model[`${i}-transformer`] as Params);
    const one = block(params[0]!, sequences(rows));
    const [a, b, c] = tf.split(one, 3, 1);
    const [left, right] = tf.split(block(params[1]!, tf.concat([a!, c!], 1)), 2, 1);
    const last = block(params[2]!, tf.concat([left!, b!, right!], 1));
    expect(value(hooksOf(randomLtd()).taskLoss({}, step))).toBeCloseTo(entropy(dense(first(last), weights.head)), 4);
  });

  test("more places are kept in equal spans of steps, drawn anew for each block", () => {
    const how = { first: 0.5, steps: 100, quantum: 4 };
    expect([0, 24, 25, 50, 99, 100, 500].map((step) => keptPlaces(32, step, how))).toEqual([
      16, 16, 20, 24, 28, 32, 32,
    ]);
    const deep = network(vit({ patch: 2, width: 8, depth: 4, heads: 2 }), [8, 8, 1]);
    const draw = (step: number): { data: Int32Array; shape: number[] } =>
      hooksOf(randomLtd({ first: 0.5 })).batch(
        {},
        { extra: {} } as never,
        { network: deep, step, rng: random(3) } as never,
      ).extra.randomLtd!.kept as never;
    // 16 patches and a class token: half of 17 places
    const { data, shape } = draw(0);
    expect(shape).toEqual([2, 9]);
    for (const part of [data.slice(0, 9), data.slice(9)])
      expect([...part]).toEqual([...new Set(part)].sort((a, b) => a - b));
    expect([...data.slice(0, 9)]).not.toEqual([...data.slice(9)]);
    expect([...draw(0).data]).toEqual([...data]);
  });
});

/** Ways of learning without backpropagation as it is, by hand. */
import { net, ska, type tf, type Weights } from "thalweg";
import { describe, expect, test } from "vitest";
import { table } from "../../lib/data/dataset.ts";
import { random, valueAndGrad } from "../../lib/engine/index.ts";
import { network } from "../../lib/models/network.ts";
import { forwardForward } from "../../lib/strategies/objectives/forward-forward.ts";
import { instantUpdate } from "../../lib/strategies/objectives/instant-update.ts";
import { hooksOf, predictionOf, type Rows, small, stepOf } from "./by-hand.ts";

const x = [
  [1, -0.5, 0.3, 2],
  [0.2, 0.8, -1, 1],
];
const array = (t: unknown): number[][] => (t as tf.Tensor).arraySync() as number[][];
const dense = (rows: Rows, layer: unknown): number[][] => {
  const { kernel, bias } = layer as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  const [k, b] = [array(kernel), [...bias.dataSync()]];
  return rows.map((row) => b.map((shift, j) => row.reduce((sum, v, i) => sum + v * k[i]![j]!, shift)));
};
const close = (got: Rows, wanted: Rows): void => {
  for (const [i, row] of got.entries()) for (const [j, v] of row.entries()) expect(v).toBeCloseTo(wanted[i]![j]!, 4);
};
const softplus = (v: number): number => Math.log1p(Math.exp(v));

describe("forwardForward", () => {
  const { net, weights } = small([3, 2], 4, 2);
  const model = weights.model as Record<string, unknown>;
  const [first, second] = Object.keys(model) as [string, string];
  /** The goodness of both layers, with the labels written over the first two numbers. */
  const goodness = (labels: readonly number[]): number[][] => {
    const rows = x.map((row, i) => [labels[i] === 0 ? 1 : 0, labels[i] === 1 ? 1 : 0, ...row.slice(2)]);
    const one = dense(rows, model[first]).map((row) => row.map((v) => Math.max(0, v)));
    const turned = one.map((row) => {
      const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length + 1e-8);
      return row.map((v) => v / length);
    });
    const two = dense(turned, model[second]).map((row) => row.map((v) => Math.max(0, v)));
    const mean = (row: readonly number[]): number => row.reduce((sum, v) => sum + v * v, 0) / row.length;
    return x.map((_, i) => [mean(one[i]!), mean(two[i]!)]);
  };

  test.each([true, false])("has the loss of its layers, working together: %s", (collaborate) => {
    const step = stepOf({ net, weights, x, y: [0, 1] });
    const [right, wrong] = [goodness([0, 1]), goodness([1, 0])];
    const logits = (g: readonly number[]): number[] => {
      const sum = g[0]! + g[1]!;
      return collaborate ? [sum - 2, sum - 2] : g.map((v) => v - 1);
    };
    const wanted = x.map((_, i) =>
      [...logits(right[i]!).map((v) => softplus(-v)), ...logits(wrong[i]!).map(softplus)].reduce((a, b) => a + b),
    );
    const { taskLoss } = hooksOf(forwardForward({ collaborate }));
    expect(taskLoss({}, step).dataSync()[0]).toBeCloseTo((wanted[0]! + wanted[1]!) / 2, 4);
  });

  test("learns each layer by itself: the first layer's gradient does not pass through the second", () => {
    const own = hooksOf(forwardForward({ collaborate: false }));
    const slope = (second: number): number[] => {
      const moved = {
        ...weights,
        model: {
          ...weights.model,
          [Object.keys(model)[1]!]: small([3, 2], 4, 2, second).weights.model[Object.keys(model)[1]!]!,
        },
      };
      const { grads } = valueAndGrad(
        (w: Weights) => own.taskLoss({}, stepOf({ net, weights: w, x, y: [0, 1] })),
        moved as Weights,
      );
      return [...((grads.model[first] as Record<string, tf.Tensor>).kernel as tf.Tensor).dataSync()];
    };
    const [a, b] = [slope(1), slope(9)];
    expect(a.some((v) => Math.abs(v) > 1e-4)).toBe(true);
    for (const [i, v] of a.entries()) expect(v).toBeCloseTo(b[i]!, 6);
  });

  test("predicts by the goodness with each label", () => {
    const scores = array(hooksOf(forwardForward()).predict({}, predictionOf(net, weights, x)));
    for (const column of [0, 1])
      goodness([column, column]).forEach(
        ([one, two], i) => void expect(scores[i]![column]).toBeCloseTo(one! + two!, 4),
      );
  });
});

test("instantUpdate sends the error back through the weights after their step", () => {
  const { net, weights } = small([3], 4, 2);
  const rate = 0.5;
  const own = hooksOf(instantUpdate());
  const { grads } = valueAndGrad(
    (w: Weights) => own.taskLoss({}, stepOf({ net, weights: w, x, y: [0, 1], rate })),
    weights,
  );
  const [name] = Object.keys(weights.model) as [string];
  const before = dense(x, weights.model[name]);
  const hidden = before.map((row) => row.map((v) => Math.max(0, v)));
  const errors = dense(hidden, weights.head).map((z, i) => {
    const sum = z.reduce((total, v) => total + Math.exp(v), 0);
    return z.map((v, c) => (Math.exp(v) / sum - (c === i ? 1 : 0)) / 2);
  });
  const outer = (a: Rows, b: Rows): number[][] =>
    a[0]!.map((_, i) => b[0]!.map((_, j) => a.reduce((sum, row, n) => sum + row[i]! * b[n]![j]!, 0)));
  const ofHead = outer(hidden, errors);
  const after = array(weights.head.kernel).map((row, i) => row.map((v, j) => v - rate * ofHead[i]![j]!));
  const back = errors.map((row, n) =>
    after.map((own, i) => (before[n]![i]! > 0 ? own.reduce((sum, v, j) => sum + v * row[j]!, 0) : 0)),
  );
  close(array(grads.head.kernel), ofHead);
  close(array((grads.model[name] as Record<string, tf.Tensor>).kernel), outer(x, back));
});

describe("ska", () => {
  test("takes the steps of its formula, pass after pass", () => {
    const model = net().dense(2).sigmoid();
    const structure = network(model, [4]);
    const weights = structure.init(random(3), 2);
    const train = table(Float32Array.from(x.flat()), Int32Array.from([0, 1]), [4], 1);
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const layers = [weights.model["1-dense"], weights.head].map((layer) => {
      const { kernel, bias } = layer as { kernel: tf.Tensor; bias: tf.Tensor };
      return { kernel: array(kernel), bias: [...bias.dataSync()] };
    });
    const pass = (): { z: number[][][]; d: number[][][] } => {
      const z: number[][][] = [];
      const d: number[][][] = [];
      for (const { kernel, bias } of layers) {
        const rows = d.at(-1) ?? x;
        z.push(rows.map((row) => bias.map((b, j) => row.reduce((sum, v, i) => sum + v * kernel[i]![j]!, b))));
        d.push(z.at(-1)!.map((row) => row.map(sigmoid)));
      }
      return { z, d };
    };
    const first = pass();
    const entropies: number[][] = [];
    let had = first;
    for (let k = 0; k < 2; k++) {
      const now = pass();
      entropies.push(
        now.z.map(
          (z, l) =>
            -z
              .flatMap((row, n) => row.map((v, j) => v * (now.d[l]![n]![j]! - had.d[l]![n]![j]!)))
              .reduce((a, b) => a + b) / Math.LN2,
        ),
      );
      for (const [l, layer] of layers.entries()) {
        const rows = l === 0 ? x : had.d[l - 1]!;
        const g = now.z[l]!.map((row, n) =>
          row.map((v, j) => {
            const decided = now.d[l]![n]![j]!;
            return -(v * decided * (1 - decided) + decided - had.d[l]![n]![j]!) / Math.LN2;
          }),
        );
        layer.kernel = layer.kernel.map((row, i) =>
          row.map((w, j) => w - (0.5 / 2) * g.reduce((sum, own, n) => sum + rows[n]![i]! * own[j]!, 0)),
        );
        layer.bias = layer.bias.map((b, j) => b - (0.5 / 2) * g.reduce((sum, own) => sum + own[j]!, 0));
      }
      had = now;
    }
    const made = hooksOf(ska({ rounds: 3, lr: 0.5 })).learn(
      { entropies: [] },
      { train } as never,
      { network: structure, weights, statistics: {} } as never,
    ) as { weights: Weights; entropies: number[][] };
    close(made.entropies, entropies);
    close(array((made.weights.model["1-dense"] as Record<string, tf.Tensor>).kernel), layers[0]!.kernel);
    close(array(made.weights.head.kernel), layers[1]!.kernel);
  });
});

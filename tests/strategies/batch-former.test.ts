/** P344: examples of a batch that look at each other in training. */
import { expect, test } from "vitest";
import { random, tf, valueAndGrad } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { batchFormer } from "../../lib/strategies/index.ts";
import { contextOf, hooksOf, lossOf, matrix, normal, small, stepOf, times } from "./by-hand.ts";

const strategy = batchFormer({ heads: 1, share: 0.25 });
const { net, weights: bare } = small([4], 2, 3);
const drawn = hooksOf(strategy).parameters(contextOf(net, bare)) as Record<string, Record<string, tf.Tensor>>;
// all drawn anew, so that no bias is 0
let next = 0;
const noisy = Object.fromEntries(
  Object.entries(drawn).map(([part, own]) => [
    part,
    Object.fromEntries(
      Object.entries(own).map(([name, t]) => [name, random(9).at(String(next++)).normals(t.shape, 0.2, 0.5)]),
    ),
  ]),
);
const weights = { ...bare, added: { batchFormer: noisy } } as unknown as Weights;
const x = normal(5, 2, 1);
const y = [0, 2, 1, 1, 0];

/** A block with one head, normalised behind, over the rows of a batch. */
function together(rows: number[][]): number[][] {
  const part = (name: string) =>
    Object.fromEntries(Object.entries(noisy[name]!).map(([k, t]) => [k, t])) as Record<string, tf.Tensor>;
  const dense = (of: number[][], name: string): number[][] =>
    times(of, matrix(part(name).kernel!)).map((row) => row.map((v, i) => v + part(name).bias!.dataSync()[i]!));
  const norm = (of: number[][], name: string): number[][] =>
    of.map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length;
      const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
      return row.map(
        (v, i) =>
          ((v - mean) / Math.sqrt(variance + 1e-5)) * part(name).scale!.dataSync()[i]! +
          part(name).shift!.dataSync()[i]!,
      );
    });
  const plus = (a: number[][], b: number[][]): number[][] => a.map((row, i) => row.map((v, j) => v + b[i]![j]!));
  const [q, k, v] = ["query", "key", "value"].map((name) => dense(rows, name)) as [number[][], number[][], number[][]];
  const shares = q.map((one) => {
    const scores = k.map((other) =>
      Math.exp(one.reduce((sum, a, i) => sum + a * other[i]!, 0) / Math.sqrt(one.length)),
    );
    const total = scores.reduce((a, b) => a + b, 0);
    return scores.map((s) => s / total);
  });
  const first = norm(plus(rows, dense(times(shares, v), "out")), "before");
  const gelu = (t: number): number => t * (1 / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (t + 0.044715 * t ** 3))));
  return norm(
    plus(
      first,
      dense(
        dense(first, "up").map((row) => row.map(gelu)),
        "down",
      ),
    ),
    "between",
  );
}

test("the loss is that of the features and of what a block over the batch makes of them, by one head", () => {
  const step = stepOf({ net, weights, x, y });
  const rows = together(matrix(step.features));
  const { kernel, bias } = weights.head as unknown as Record<string, tf.Tensor>;
  const logits = times(rows, matrix(kernel!)).map((row) => row.map((v, i) => v + bias!.dataSync()[i]!));
  const beside =
    logits.reduce((sum, row, i) => sum + Math.log(row.reduce((a, v) => a + Math.exp(v), 0)) - row[y[i]!]!, 0) /
    y.length;
  const plain = step.targetLoss().dataSync()[0]!;
  expect(lossOf(strategy, {}, step)).toBeCloseTo(0.75 * plain + 0.25 * beside, 3);
});

test("a rare example learns from the others, and is predicted by itself", () => {
  const loss = (share: number) => (given: tf.Tensor) => {
    const step = stepOf({ net, weights, x: [...x], y });
    const passed = step.forward(given);
    const own = { ...step, ...passed, weight: tf.tensor1d([1, 0, 0, 0, 0]) };
    own.targetLoss = (of = own) => step.targetLoss(of);
    return hooksOf(batchFormer({ heads: 1, share })).taskLoss({}, own) as tf.Scalar;
  };
  const slope = (share: number): number =>
    tf
      .sum(tf.abs(tf.slice(valueAndGrad(loss(share), tf.tensor2d(x)).grads as tf.Tensor, [1, 0], [4, 2])))
      .dataSync()[0]!;
  expect(slope(0)).toBe(0);
  expect(slope(0.5)).toBeGreaterThan(1e-4);
  expect(hooksOf(strategy).forward).toBeUndefined();
  expect(hooksOf(strategy).predict).toBeUndefined();
  expect(() => hooksOf(batchFormer({ heads: 3 })).parameters(contextOf(net, bare))).toThrow(
    "features that 3 heads divide are required, got [4]",
  );
});

import { describe, expect, test } from "vitest";
import { tf } from "../../lib/engine/index.ts";
import type { Params } from "../../lib/models/model.ts";
import { foster } from "../../lib/strategies/index.ts";
import { contextOf, examplesOf, hooksOf, matrix, normal, predictionOf, small, stepOf } from "./by-hand.ts";
import { numbers } from "./support.ts";

const soft = (row: readonly number[]): number[] => {
  const e = row.map((v) => Math.exp(v));
  return e.map((v) => v / e.reduce((a, b) => a + b, 0));
};
const entropy = (row: readonly number[], label: number): number => -Math.log(soft(row)[label]!);
const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe("FOSTER", () => {
  const strategy = foster({ temperature: 2, distil: 0.5, boosting: 0.9, compressing: 0.8 });
  const [{ net, weights: now }, { weights: old }, { weights: other }] = [
    small([4], 3, 3, 1),
    small([4], 3, 3, 2),
    small([4], 3, 3, 3),
  ];
  const drawn = (seed: number, rows: number): tf.Tensor => tf.tensor2d(normal(rows, 3, seed) as number[][]);
  const module = {
    model: other.model,
    kernel: drawn(11, 4),
    oldKernel: drawn(12, 4),
    bias: tf.tensor1d([0.1, -0.2, 0.3]),
    auxKernel: drawn(13, 4),
    auxBias: tf.tensor1d([0.2, 0, -0.1]),
  };
  const weights = { ...now, added: { foster: module as unknown as Params } };
  const state = {
    tensors: {
      seen: tf.tensor2d([[1, 1, 1]]),
      known: tf.tensor2d([[1, 1, 0]]),
      old,
      boosting: tf.tensor2d([[1.2, 0.9, 0.9]]),
      compressing: tf.tensor2d([[1.5, 0.75, 0.75]]),
    },
  };
  const [x, y] = [normal(4, 3, 5), [0, 1, 2, 2]];
  const stepAt = (phase: number) =>
    stepOf({ net, weights, x, y, extra: { phase: tf.scalar(phase) }, through: { strategy, state } });
  const features = (at: typeof now): number[][] => matrix(predictionOf(net, at, x).features);
  const times = (rows: number[][], kernel: tf.Tensor, columns = [1, 1, 1]): number[][] => {
    const k = matrix(kernel);
    return rows.map((row) => [0, 1, 2].map((c) => columns[c]! * row.reduce((s, v, j) => s + v * k[j]![c]!, 0)));
  };
  const corrected = times(features({ ...now, model: other.model }), module.kernel);
  const kept = times(features(old), module.oldKernel, [1, 1, 0]);
  const boosted = corrected.map((row, i) => row.map((v, c) => v + kept[i]![c]! + [0.1, -0.2, 0.3][c]!));

  test("trains the module on joint logits divided by the weights of classes, alone, and held to the old logits", () => {
    const alone = times(features({ ...now, model: other.model }), module.auxKernel).map((row) =>
      row.map((v, c) => v + [0.2, 0, -0.1][c]!),
    );
    const labelled = y.map(
      (label, i) =>
        entropy(
          boosted[i]!.map((v, c) => v / [1.2, 0.9, 0.9][c]!),
          label,
        ) + entropy(alone[i]!, label),
    );
    const step = stepAt(1);
    expect(hooksOf(strategy).taskLoss(state, step).dataSync()[0]!).toBeCloseTo(meanOf(labelled), 4);
    const before = matrix(predictionOf(net, old, x).logits);
    const held = boosted.map((row, i) => {
      const [p, q] = [soft(before[i]!.slice(0, 2).map((v) => v / 2)), soft(row.slice(0, 2).map((v) => v / 2))];
      return -p.reduce((s, v, c) => s + v * Math.log(q[c]!), 0);
    });
    expect(hooksOf(strategy).loss(state, step).dataSync()[0]!).toBeCloseTo(0.5 * meanOf(held), 4);
  });

  test("presses both into the network by their softmax times the weights of classes, without labels", () => {
    const step = stepAt(0);
    expect(hooksOf(strategy).taskLoss(state, step).dataSync()[0]!).toBe(0);
    const own = matrix(predictionOf(net, now, x).logits);
    const pressed = boosted.map((row, i) => {
      const wanted = soft(row.map((v) => v / 2)).map((v, c) => v * [1.5, 0.75, 0.75][c]!);
      const total = wanted.reduce((a, b) => a + b, 0);
      const q = soft(own[i]!.map((v) => v / 2));
      return -wanted.reduce((s, v, c) => s + (v / total) * Math.log(q[c]!), 0);
    });
    expect(hooksOf(strategy).loss(state, step).dataSync()[0]!).toBeCloseTo(meanOf(pressed), 4);
  });

  test("moves the module in the first stage and the network in the second, and neither in the other", () => {
    const after = { ...old, added: { foster: { ...module, bias: tf.tensor1d([9, 9, 9]) } as unknown as Params } };
    for (const phase of [0, 1]) {
      const moved = hooksOf(strategy).weights(state, { before: weights, after } as never, stepAt(phase));
      expect(numbers(moved.model)).toEqual(numbers(phase === 1 ? now.model : old.model));
      expect(numbers(moved.head)).toEqual(numbers(phase === 1 ? now.head : old.head));
      const { bias } = moved.added!.foster as Params;
      expect(numbers({ bias })).toEqual(phase === 1 ? [9, 9, 9] : numbers({ bias: module.bias }));
    }
  });

  test("weighs classes by the effective number of their examples, and begins with a copy of the network", () => {
    const exemplars = { shape: [3], scale: 1, classes: new Map([[0, Float32Array.from(normal(2, 3, 6).flat())]]) };
    const train = examplesOf(normal(5, 3, 7), [1, 1, 1, 1, 1]);
    const given = { exemplars, start: 0, steps: 1, tensors: {} };
    const begun = hooksOf(strategy).beforeExperience(
      given,
      { index: 1, train, classes: [1] } as never,
      contextOf(net, { ...now, added: { foster: module as unknown as Params } }),
    );
    const raw = [2, 5].map((n) => 0.1 / (1 - 0.9 ** n));
    const got = numbers({ w: begun.tensors.boosting });
    expect(got[0]).toBeCloseTo(raw[0]! / meanOf(raw), 5);
    expect(got[1]).toBeCloseTo(raw[1]! / meanOf(raw), 5);
    expect(got[2]).toBe(1);
    expect(begun.steps).toBe(2);
    expect(numbers(begun.weights.added.foster.model)).toEqual(numbers(now.model));
    expect(numbers(begun.tensors.old.model)).toEqual(numbers(now.model));
  });
});

import { expect, test } from "vitest";
import { table } from "../../lib/data/dataset.ts";
import { leaves, random, type Tree, tf, unflatten, valueAndGrad } from "../../lib/engine/index.ts";
import { symmetricEigen } from "../../lib/engine/linear-algebra.ts";
import { net, network, trained } from "../../lib/models/index.ts";
import {
  gradientNoise,
  hessianTrace,
  networkLoss,
  opposingSignals,
  sharpness,
  stability,
  topEigenvalues,
} from "../../lib/train/probes/index.ts";

/** A small network on random examples. */
function small() {
  const rng = random(5);
  const x = rng.at("x").fillNormal(new Float32Array(24 * 3));
  const labels = Int32Array.from({ length: 24 }, () => rng.int(3));
  const model = net().dense(4).tanh();
  const weights = network(model, [3]).init(random(2), 3);
  const made = trained({ model, input: [3], weights, classes: ["a", "b", "c"] });
  return { made, examples: table(x, labels, [3], 1) };
}

/** The Hessian by differences of gradients, and its eigenvalues, the largest first. */
function byDifferences(loss: (w: never) => tf.Tensor, at: unknown): number[] {
  const flat = leaves<tf.Tensor>(at as Tree).map((t) => [...t.dataSync()]);
  const size = flat.flat().length;
  const slope = (moved: number, by: number): number[] => {
    let k = 0;
    const parts = leaves<tf.Tensor>(at as Tree).map((t, i) =>
      tf.tensor(
        flat[i]!.map((v) => v + (k++ === moved ? by : 0)),
        t.shape,
      ),
    );
    const { grads } = valueAndGrad(loss as never, unflatten(at, parts) as never);
    return leaves<tf.Tensor>(grads as Tree).flatMap((t) => [...t.dataSync()]);
  };
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const [up, down] = [slope(i, 1e-2), slope(i, -1e-2)];
    for (let j = 0; j < size; j++) {
      matrix[i * size + j]! += (up[j]! - down[j]!) / 4e-2;
      matrix[j * size + i]! += (up[j]! - down[j]!) / 4e-2;
    }
  }
  return [...symmetricEigen(matrix, size).values].sort((a, b) => b - a);
}

test("topEigenvalues and hessianTrace of a network are those of its Hessian by differences", () => {
  const { made, examples } = small();
  const loss = networkLoss(made, examples);
  const wanted = byDifferences(loss as never, made.weights);
  const found = topEigenvalues(loss, made.weights, { count: 3 });
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(wanted[i]!, 3);
  const { trace, error } = hessianTrace(loss, made.weights, { samples: 64 });
  const whole = wanted.reduce((a, b) => a + b, 0);
  expect(Math.abs(trace - whole)).toBeLessThan(4 * error);
  expect(error).toBeLessThan(whole / 4);
  const tensors = tf.memory().numTensors;
  topEigenvalues(loss, made.weights);
  hessianTrace(loss, made.weights, { samples: 2 });
  expect(tf.memory().numTensors).toBe(tensors);
});

test("sharpness is the rise at a radius along the gradient", () => {
  const { made, examples } = small();
  const loss = networkLoss(made, examples);
  const { value, grads } = valueAndGrad(loss, made.weights);
  const length = Math.hypot(...leaves<tf.Tensor>(grads as Tree).flatMap((t) => [...t.dataSync()]));
  const parts = leaves<tf.Tensor>(made.weights as Tree).map((w, i) =>
    tf.add(w, tf.mul(leaves<tf.Tensor>(grads as Tree)[i]!, 0.3 / length)),
  );
  const there = loss(unflatten(made.weights, parts) as never).dataSync()[0]!;
  expect(sharpness(loss, made.weights, { radius: 0.3 })).toBeCloseTo(there - value.dataSync()[0]!, 5);
  expect(() => sharpness(loss, made.weights, { radius: 0 })).toThrow("sharpness: a radius above 0 is required");
});

test("gradientNoise finds signal and noise of gradients drawn with known ones", () => {
  const rng = random(9);
  // gradients of rows: mean (1, 2), deviations 2 and 1 in each direction: ‖G‖² = 5, trace 4 + 1
  const losses = Array.from({ length: 400 }, () => {
    const slope = tf.tensor1d([1 + 2 * (rng.normal() / 2), 2 + rng.normal() / 2]); // batches of 4
    return (w: tf.Tensor) => tf.sum(tf.mul(w, slope));
  });
  const found = gradientNoise(losses.slice(0, 60), tf.tensor1d([0, 0]), { rows: 4 });
  expect(Math.abs(found.signal - 5)).toBeLessThan(1.2);
  expect(Math.abs(found.noise - 5)).toBeLessThan(1.5);
  expect(() => gradientNoise(losses.slice(0, 1), tf.tensor1d([0, 0]), { rows: 4 })).toThrow("at least two batches");
});

test("stability holds the largest curvature and the sum of all against 2 over the rate", () => {
  const loss = (w: tf.Tensor): tf.Tensor => tf.sum(tf.mul(tf.square(w), [0.5, 2, 1])); // curvatures 1, 4 and 2
  const at = tf.tensor1d([1, 1, 1]);
  const told = [0.25, 0.4, 0.6].map((lr) => stability(loss, at, { lr }));
  for (const { top, trace } of told) {
    expect(top).toBeCloseTo(4, 4);
    expect(trace).toBeCloseTo(7, 3);
  }
  // descent as it is: 0.6 · 4 > 2 grows, 0.4 · 4 < 2 does not
  expect(told.map(({ bound, descent, stochastic }) => [bound, descent, stochastic])).toEqual([
    [8, true, true],
    [5, true, false],
    [2 / 0.6, false, false],
  ]);
  expect(() => stability(loss, at, { lr: 0 })).toThrow("stability: an lr above 0 is required, got 0");
});

test("opposingSignals are the examples whose losses moved the most, up and down", () => {
  const found = opposingSignals([1, 2, 3, 4, 5], [2, 2.5, 3, 1, 3], { count: 2 });
  expect(found).toEqual({ rising: [0, 1], falling: [3, 4], rise: 0.75, fall: -2.5, share: 1 });
  expect(opposingSignals([1, 1], [1, 0.5], { count: 5 })).toMatchObject({ rising: [], falling: [1], rise: 0 });
  expect(() => opposingSignals([1], [1, 2])).toThrow("losses of the same examples are required, got 1 and 2");
});

/** Gradients that TensorFlow.js has wrong or not at all, against finite differences. */
import { describe, expect, test } from "vitest";
import { jit, random, tf, valueAndGrad } from "../../lib/engine/index.ts";

/** Some smooth function of a tensor with no two slopes alike. */
const mixed = (z: tf.Tensor): tf.Scalar =>
  tf.sum(tf.mul(tf.sin(z), tf.reshape(tf.range(1, z.size + 1), z.shape))) as tf.Scalar;

const cases: readonly [string, (x: tf.Tensor2D) => tf.Tensor][] = [
  ["a split into one part", (x) => tf.split(x, 1, 1)[0]!],
  ["a split into one part of a size", (x) => tf.split(x, [4], -1)[0]!],
  ["a split into several", (x) => tf.concat(tf.split(x, [1, 3], 1).toReversed(), 1)],
  ["one part, unstacked", (x) => tf.unstack(tf.reshape(x, [1, 3, 4]))[0]!],
  ["several, unstacked", (x) => tf.add(tf.unstack(x)[0]!, tf.unstack(x)[2]!)],
  ["a choice by what is greater", (x) => tf.where(tf.greater(x, tf.square(x)), tf.mul(x, 3), tf.square(x))],
  ["by what is less", (x) => tf.where(tf.less(tf.mul(x, x), 0.5), x, tf.exp(x))],
  ["by what is no less", (x) => tf.where(tf.greaterEqual(x, tf.mean(x)), x, tf.exp(x))],
  ["by what is no greater", (x) => tf.where(tf.lessEqual(x, tf.mean(x, 1, true)), x, tf.exp(x))],
  ["by what is equal", (x) => tf.where(tf.equal(tf.relu(x), 0), tf.mul(x, 0.1), tf.exp(x))],
  ["by what is not", (x) => tf.where(tf.notEqual(tf.relu(x), 0), tf.mul(x, 0.1), tf.exp(x))],
  [
    "by several comparisons",
    (x) =>
      tf.where(
        tf.logicalOr(tf.logicalAnd(tf.greater(x, -1), tf.less(x, 0)), tf.logicalNot(tf.less(x, 1))),
        tf.mul(x, 2),
        tf.square(x),
      ),
  ],
  ["a comparison as numbers", (x) => tf.mul(tf.cast(tf.greater(x, tf.mul(x, 2)), "float32"), tf.square(x))],
];

describe.each(cases)("the gradient of %s", (_, fn) => {
  const start = random(5).normals([3, 4]) as tf.Tensor2D;
  const at = [...start.dataSync()];
  const value = (numbers: readonly number[]): number =>
    tf.tidy(() => mixed(fn(tf.tensor2d([...numbers], [3, 4]))).dataSync()[0]!);
  const slopes = at.map((_, i) => {
    const moved = (by: number): number => value(at.map((v, j) => (i === j ? v + by : v)));
    return (moved(2e-3) - moved(-2e-3)) / 4e-3;
  });

  test.each(["as it is", "compiled"])("%s", (how) => {
    const slope = (x: tf.Tensor2D): tf.Tensor2D => valueAndGrad((z: tf.Tensor2D) => mixed(fn(z)), x).grads;
    const got = [...(how === "compiled" ? jit(slope) : slope)(start).dataSync()];
    expect(slopes.some((s) => Math.abs(s) > 0.1)).toBe(true);
    for (const [i, g] of got.entries())
      expect(Math.abs(g - slopes[i]!)).toBeLessThan(0.02 * (1 + Math.abs(slopes[i]!)));
  });
});

test("a second gradient goes through a choice too", () => {
  const x = tf.tensor1d([-1.5, 0.5, 2]);
  const { grads } = valueAndGrad(
    (z: tf.Tensor) =>
      tf.sum(valueAndGrad((w: tf.Tensor) => tf.sum(tf.where(tf.greater(w, 0), tf.pow(w, 3), w)), z).grads),
    x,
  );
  expect([...grads.dataSync()]).toEqual([0, 3, 12]);
});

/** Hand-written gradients against those that TensorFlow.js derives, and against figures worked out by hand. */
import { describe, expect, it } from "vitest";
import { nn, random, tf } from "../../lib/engine/index.ts";

const close = (got: tf.Tensor, want: tf.Tensor): void => {
  expect(got.shape).toEqual(want.shape);
  const expected = want.dataSync();
  got.dataSync().forEach((x, i) => {
    expect(Math.abs(x - expected[i]!)).toBeLessThan(2e-5);
  });
};
const numbers = random(5);
const x = numbers.normals([3, 4, 4, 6], 1, 2);
const [scale, shift] = [numbers.normals([6], 1, 0.3), numbers.normals([6])];
const weight = numbers.normals([3, 4, 4, 6]);
const derived =
  (axes: number[]) =>
  (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => {
    const { mean, variance } = tf.moments(x, axes, true);
    return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), scale), shift);
  };
const grouped = (x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => {
  const split = tf.reshape(x, [3, 16, 2, 3]);
  const { mean, variance } = tf.moments(split, [1, 3], true);
  return tf.add(
    tf.mul(tf.reshape(tf.div(tf.sub(split, mean), tf.sqrt(tf.add(variance, 1e-5))), x.shape), scale),
    shift,
  );
};

describe("normalisation", () => {
  for (const [name, ours, theirs] of [
    ["by batch", (x: tf.Tensor, s: tf.Tensor, b: tf.Tensor) => nn.batchNormalise(x, s, b).y, derived([0, 1, 2])],
    ["by layer", (x: tf.Tensor, s: tf.Tensor, b: tf.Tensor) => nn.layerNormalise(x, s, b), derived([3])],
    ["by group", (x: tf.Tensor, s: tf.Tensor, b: tf.Tensor) => nn.groupNormalise(x, 2, s, b), grouped],
  ] as const) {
    it(`${name} gives the numbers and gradients of its derivation, twice differentiated too`, () => {
      close(ours(x, scale, shift), theirs(x, scale, shift));
      const loss = (fn: typeof ours) => (a: tf.Tensor, s: tf.Tensor, b: tf.Tensor) =>
        tf.sum(tf.mul(fn(a, s, b), weight)) as tf.Scalar;
      const [got, want] = [tf.grads(loss(ours))([x, scale, shift]), tf.grads(loss(theirs))([x, scale, shift])];
      got.forEach((one, i) => {
        close(one, want[i]!);
      });
      const twice = (fn: typeof ours) =>
        tf.grad(
          (a: tf.Tensor) => tf.sum(tf.square(tf.grad((c: tf.Tensor) => loss(fn)(c, scale, shift))(a))) as tf.Scalar,
        )(x);
      close(twice(ours), twice(theirs));
    });
  }
  it("refuses groups that do not divide the channels", () => {
    expect(() => nn.groupNormalise(x, 4, scale, shift)).toThrow(/divides 6 channels is required, got 4/);
  });
});

describe("crossEntropies", () => {
  it("is the log of the number of classes for equal logits", () => {
    expect(nn.crossEntropies(tf.zeros([2, 8]), tf.tensor1d([0, 7], "int32")).arraySync()).toEqual([
      Math.fround(Math.log(8)),
      Math.fround(Math.log(8)),
    ]);
  });
  it("has the softmax less one at the label as its gradient", () => {
    const logits = tf.tensor2d([[0, Math.log(3)]]);
    const grad = tf.grad((z: tf.Tensor) => tf.sum(nn.crossEntropies(z, tf.tensor1d([0], "int32"))))(logits);
    close(grad, tf.tensor2d([[0.25 - 1, 0.75]]));
  });
});

describe("attention", () => {
  it("gives the value whose key fits the query", () => {
    const keys = tf.tensor2d([
      [100, 0],
      [0, 100],
    ]);
    close(
      nn.attention(
        tf.tensor2d([[0, 100]]),
        keys,
        tf.tensor2d([
          [1, 2],
          [3, 4],
        ]),
      ),
      tf.tensor2d([[3, 4]]),
    );
  });
  it("does not see what the mask hides", () => {
    const keys = tf.tensor2d([
      [100, 0],
      [0, 100],
    ]);
    const mask = tf.tensor2d([[0, -1e9]]);
    close(
      nn.attention(
        tf.tensor2d([[0, 100]]),
        keys,
        tf.tensor2d([
          [1, 2],
          [3, 4],
        ]),
        mask,
      ),
      tf.tensor2d([[1, 2]]),
    );
  });
});

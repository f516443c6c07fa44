/** Hand-written gradients against those that TensorFlow.js derives, and against figures worked out by hand. */
import { describe, expect, it } from "vitest";
import { jit, nn, random, tf } from "../../lib/engine/index.ts";

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
  it("by batch gives compiled what it gives operation by operation, with rectifiers and a shortcut, for images of any size", () => {
    const rng = random(7);
    for (const size of [4, 16, 24]) {
      const inputs = [[2, size, size, 3], [3, 3, 3, 3], [3], [3]].map((shape) => rng.normals(shape, 0.5));
      const weight = rng.normals([2, size, size, 3]);
      const block = (x: tf.Tensor, filter: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor => {
        const conv = (x: tf.Tensor): tf.Tensor =>
          nn.batchNormalise(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same"), scale, shift).y;
        return tf.sum(tf.mul(tf.relu(tf.add(conv(tf.relu(conv(x))), x)), weight));
      };
      const gradients = (...args: tf.Tensor[]): tf.Tensor[] => tf.grads(block)(args);
      const want = gradients(...inputs);
      jit(gradients)(...inputs).forEach((one, i) => {
        const most = tf.max(tf.abs(want[i]!)).arraySync() as number;
        close(tf.div(one, most), tf.div(want[i]!, most));
      });
    }
  });
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
  it("has the gradients of its derivation, with respect to the mask too", () => {
    const rng = random(6);
    const inputs = [
      [2, 3, 5, 4],
      [2, 3, 6, 4],
      [2, 3, 6, 4],
      [3, 1, 6],
    ].map((shape) => rng.normals(shape));
    const share = rng.normals([2, 3, 5, 4]);
    const derived = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor): tf.Tensor =>
      tf.matMul(tf.softmax(tf.add(tf.div(tf.matMul(q, k, false, true), 2), mask)), v);
    const gradients = (fn: typeof derived): tf.Tensor[] =>
      tf.grads((q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor) => tf.sum(tf.mul(fn(q, k, v, mask), share)))(
        inputs,
      );
    const want = gradients(derived);
    gradients(nn.attention).forEach((one, i) => {
      close(one, want[i]!);
    });
  });
});

describe("gelu", () => {
  const at = [-2, -1, -0.5, 0, 0.7, 1.5, 3];
  const value = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  const slope = (x: number): number => (value(x + 1e-4) - value(x - 1e-4)) / 2e-4;
  const curvature = (x: number): number => (value(x + 1e-3) + value(x - 1e-3) - 2 * value(x)) / 1e-6;
  it("is near x times the normal distribution function, which is 0.8413 at one", () => {
    close(nn.gelu(tf.tensor1d([-1, 1])), tf.tensor1d([0.8412 - 1, 0.8412]));
  });
  it("has the numbers of its formula and the slopes and curvatures of its finite differences", () => {
    const x = tf.tensor1d(at);
    const once = tf.grad((x: tf.Tensor) => tf.sum(nn.gelu(x)));
    const twice = tf.grad((x: tf.Tensor) => tf.sum(once(x)));
    close(nn.gelu(x), tf.tensor1d(at.map(value)));
    close(once(x), tf.tensor1d(at.map(slope)));
    close(twice(x), tf.tensor1d(at.map(curvature)));
  });
});

import { flopsDone, jit, steps, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

/** The operations that a call does. */
function counted(call: () => unknown): number {
  const before = flopsDone();
  call();
  return flopsDone() - before;
}

describe("the tally of arithmetic", () => {
  const a = tf.ones([2, 3]) as tf.Tensor2D;
  const b = tf.ones([3, 4]) as tf.Tensor2D;

  test("counts two operations for every product of a matrix product, however it is turned", () => {
    const plain = jit((x: tf.Tensor2D, y: tf.Tensor2D) => tf.matMul(x, y));
    const turned = jit((x: tf.Tensor2D, y: tf.Tensor2D) => tf.matMul(x, y, true, true));
    expect(counted(() => plain(a, b))).toBe(2 * 2 * 3 * 4);
    expect(counted(() => turned(tf.ones([3, 2]), tf.ones([4, 3])))).toBe(2 * 2 * 3 * 4);
    expect(counted(() => plain(a, b))).toBe(48); // every call, not only the one that compiles
  });

  test("counts convolutions by the places that they are applied to", () => {
    const conv = jit((x: tf.Tensor4D, w: tf.Tensor4D) => tf.conv2d(x, w, 1, "valid"));
    expect(counted(() => conv(tf.ones([2, 5, 5, 3]), tf.ones([3, 3, 3, 8])))).toBe(2 * (2 * 3 * 3 * 8) * (3 * 3 * 3));
  });

  test("counts the way back: a layer's gradient for its weights and for its input are a product each", () => {
    const loss = jit((x: tf.Tensor2D, w: tf.Tensor2D) => {
      const through = (v: tf.Tensor2D) => tf.sum(tf.square(tf.matMul(tf.relu(tf.matMul(x, v)), w))) as tf.Scalar;
      return valueAndGrad(through, tf.zeros([3, 4]) as tf.Tensor2D).grads;
    });
    const [forward, second, back] = [2 * 2 * 3 * 4, 2 * 2 * 4 * 5, 2 * 2 * 4 * 5 + 2 * 2 * 3 * 4];
    expect(counted(() => loss(a, tf.ones([4, 5])))).toBe(forward + second + back);
  });

  test("counts every step of a program of many", () => {
    const walk = steps(
      (state: tf.Tensor, x: tf.Tensor) => [tf.matMul(x as tf.Tensor2D, state as tf.Tensor2D), tf.scalar(0)] as const,
    );
    expect(counted(() => walk(tf.ones([3, 3]), tf.ones([5, 3, 3]), null))).toBe(5 * 2 * 27);
  });
});

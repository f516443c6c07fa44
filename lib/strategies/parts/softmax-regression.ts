/** A linear classifier with the least cross-entropy, on vectors that do not change. */
import { disposeTree, jit, tf, valueAndGrad } from "../../engine/index.ts";
import { oneHots } from "./contrast.ts";

/** A linear classifier. A type, not an interface, so that it is a tree of tensors. */
export type Linear = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };

/**
 * The classifier `vectors · kernel + bias` after `rounds` rounds of accelerated descent (Nesterov 1983) on the mean cross-entropy plus
 * `½ · decay · ‖kernel‖²`, every vector together, from zeros. The rate is the reciprocal of a bound on the curvature.
 */
export function softmaxRegression(
  parts: readonly { readonly label: number; readonly rows: Float32Array }[],
  width: number,
  columns: number,
  { rounds, decay }: { readonly rounds: number; readonly decay: number },
): Linear {
  const total = parts.reduce((n, { rows }) => n + rows.length / width, 0);
  const x = new Float32Array(total * width);
  const y = new Int32Array(total);
  let at = 0;
  for (const { label, rows } of parts) {
    x.set(rows, at * width);
    y.fill(label, at, at + rows.length / width);
    at += rows.length / width;
  }
  const longest = x.reduce((sum, v) => sum + v * v, 0) / Math.max(1, total) + 1;
  const rate = 1 / (longest / 2 + decay);
  const vectors = tf.tensor2d(x, [total, width]);
  const labels = tf.tidy(() => oneHots(tf.tensor1d(y, "int32"), columns));
  const round = jit(
    (now: Linear, ahead: Linear, momentum: tf.Tensor, data: tf.Tensor, wanted: tf.Tensor) => {
      const { grads } = valueAndGrad(({ kernel, bias }: Linear) => {
        const logits = tf.add(tf.matMul(data as tf.Tensor2D, kernel as tf.Tensor2D), bias);
        const loss = tf.neg(tf.mean(tf.sum(tf.mul(wanted, tf.logSoftmax(logits)), -1)));
        return tf.add(loss, tf.mul(tf.sum(tf.square(kernel)), decay / 2));
      }, ahead);
      const step = (w: tf.Tensor, g: tf.Tensor): tf.Tensor => tf.sub(w, tf.mul(g, rate));
      const next = { kernel: step(ahead.kernel, grads.kernel), bias: step(ahead.bias, grads.bias) };
      const on = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(a, tf.mul(tf.sub(a, b), momentum));
      return { now: next, ahead: { kernel: on(next.kernel, now.kernel), bias: on(next.bias, now.bias) } };
    },
    { name: "softmaxRegression", donate: [0, 1, 2] },
  );
  const zeros = (): Linear => ({ kernel: tf.zeros([width, columns]), bias: tf.zeros([columns]) });
  let state = { now: zeros(), ahead: zeros() };
  for (let k = 1; k <= rounds; k++)
    state = round(state.now, state.ahead, tf.scalar((k - 1) / (k + 2)), vectors, labels);
  disposeTree([state.ahead, vectors, labels]);
  return state.now;
}

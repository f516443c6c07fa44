/** Recurrences that are not linear, in parallel. */
import * as tf from "@tensorflow/tfjs-core";
import { associativeScan } from "./associative-scan.ts";
import { leaves, mapTensors, type Tree } from "./tree.ts";
import { withoutGradient } from "./without-gradient.ts";

/** Settings of `deer`. */
export interface DeerOptions {
  /** Newton's steps. Default 10. */
  readonly iterations?: number;
}

/**
 * The states of a recurrence that is not linear, all places at once: `hₜ = fn(hₜ₋₁, xₜ, constants)`, `[length, n, units]`.
 *
 * Newton's method over the whole sequence: each step takes `fn` for linear about the states so far, `hₜ = f(h̃ₜ₋₁) + Jₜ (hₜ₋₁ − h̃ₜ₋₁)`, and solves that recurrence by a scan over
 * matrices. It starts from zeros and comes to what the loop gives, the faster the less the states depend on each other; after as many steps as there are places it is exact whatever
 * `fn` is. The gradient is exact at the solution and costs no steps: that of the last scan.
 *
 * `first` is `[n, units]`; leaves of `xs` are `[length, n, …]`. `fn` gets the states of all places as rows, `[length · n, units]`, and the rows of `xs` with them, and treats each row by itself. A matrix of
 * `units × units` is kept for each place: it is for small states. It cannot be differentiated twice.
 *
 * Implements: P077 DEER parallel RNN
 *
 * Lim, Zhu, Selfridge and Kasim 2023, "Parallelizing non-linear sequential models over the sequence length", arXiv:2309.12252, sections 3.1 to 3.3.
 * Differs from the paper: a fixed number of steps, so that it compiles.
 *
 * @example
 * ```ts
 * import { deer, tf } from "thalweg";
 * const states = deer((h, x: tf.Tensor) => tf.tanh(tf.add(tf.mul(h, 0.5), x)), tf.zeros([1, 1]), tf.tensor3d([[[1]], [[1]]]), {});
 * [...states.dataSync()].map((v) => Math.round(1e4 * v)); // [7616, 8811]
 * ```
 */
export function deer<X, C>(
  fn: (state: tf.Tensor, x: X, constants: C) => tf.Tensor,
  first: tf.Tensor,
  xs: X,
  constants: C,
  { iterations = 10 }: DeerOptions = {},
): tf.Tensor {
  const length = leaves(xs as Tree)[0]?.shape[0] ?? 0;
  const [n, units] = first.shape as [number, number];
  if (first.rank !== 2 || length < 1)
    throw new RangeError(
      `deer: a first state [n, units] and inputs [length, n, …] are required, got [${first.shape}] and ${length} places`,
    );
  const rows = length * n;
  const inRows = mapTensors((x) => tf.reshape(x, [rows, ...x.shape.slice(2)]), xs);
  const at = (state: tf.Tensor): tf.Tensor => fn(state, inRows, constants);
  const before = (h: tf.Tensor): tf.Tensor =>
    tf.reshape(tf.concat([tf.reshape(first, [1, n, units]), tf.slice(h, [0, 0, 0], [length - 1, n, units])], 0), [
      rows,
      units,
    ]);
  /** The states of the recurrence that is linear about `had`, with the matrices J. */
  const solved = (f: tf.Tensor, jacobians: tf.Tensor, had: tf.Tensor): tf.Tensor => {
    const moved = tf.squeeze(tf.matMul(jacobians, tf.expandDims(had, 2)), [2]);
    const elements: Affine = {
      m: tf.reshape(jacobians, [length, n, units, units]),
      v: tf.reshape(tf.sub(f, moved), [length, n, units, 1]),
    };
    const { m, v } = associativeScan(then, elements, { axis: 0 });
    const start = tf.add(tf.zeros([length, n, units, 1]), tf.reshape(first, [1, n, units, 1]));
    return tf.reshape(tf.add(tf.matMul(m, start), v), [length, n, units]);
  };
  const [had, jacobians] = withoutGradient(() => {
    let h: tf.Tensor = tf.zeros([length, n, units]);
    for (let k = 1; k < iterations; k++) {
      const state = before(h);
      h = solved(at(state), jacobiansOf(at, state), state);
    }
    const state = before(h);
    return [state, jacobiansOf(at, state)] as const;
  });
  return solved(at(had), jacobians, had);
}

/** What a product and a sum after it do. */
interface Affine {
  readonly m: tf.Tensor;
  readonly v: tf.Tensor;
}
const then = (left: Affine, right: Affine): Affine => ({
  m: tf.matMul(right.m, left.m),
  v: tf.add(tf.matMul(right.m, left.v), right.v),
});

/** `[rows, units, units]`: how each number of a row's next state depends on those of the row. */
function jacobiansOf(fn: (state: tf.Tensor) => tf.Tensor, state: tf.Tensor): tf.Tensor {
  const [rows, units] = state.shape as [number, number];
  const slopes = Array.from({ length: units }, (_, i) =>
    tf.grad((state: tf.Tensor) => tf.sum(tf.slice(fn(state), [0, i], [rows, 1])))(state),
  );
  return tf.stack(slopes, 1);
}

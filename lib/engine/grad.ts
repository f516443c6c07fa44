/** Gradients of scalar functions over trees of parameters. */
import * as tf from "@tensorflow/tfjs-core";
import { leaves, type Tree, unflatten } from "./tree.ts";

/** What `valueAndGrad` gives: the scalar, whatever else the function returned, and the gradients in the tree of the parameters. */
export interface ValueAndGrad<P, A> {
  readonly value: tf.Scalar;
  readonly aux: A;
  readonly grads: P;
}

/**
 * Computes a scalar function of a tree of parameters together with its gradient.
 *
 * `fn` returns the scalar, or `[scalar, aux]` where `aux` is a tree of tensors that is handed back unchanged.
 * A parameter that the scalar does not depend on has a gradient of zeros.
 *
 * @example
 * ```ts
 * import { tf, valueAndGrad } from "thalweg";
 * const { value, grads } = valueAndGrad((p) => tf.sum(tf.square(p.w)), { w: tf.tensor1d([1, 2]) });
 * value.dataSync()[0]; // 5
 * [...grads.w.dataSync()]; // [2, 4]
 * ```
 */
export function valueAndGrad<P, A extends Tree | undefined = undefined>(
  fn: (params: P) => tf.Scalar | tf.Tensor | readonly [tf.Scalar | tf.Tensor, A],
  params: P,
): ValueAndGrad<P, A> {
  const inputs = leaves(params as Tree);
  let aux: A | undefined;
  const { value, grads } = tf.engine().gradients(
    () => {
      const out = fn(params);
      if (out instanceof tf.Tensor) return scalarOf(out);
      aux = out[1];
      for (const leaf of leaves(aux as Tree)) tf.keep(leaf);
      return scalarOf(out[0]);
    },
    inputs,
    undefined,
    true,
  );
  // Kept only to outlive the scope of the forward pass; from here on the caller's scope owns it.
  for (const leaf of leaves(aux as Tree)) {
    leaf.kept = false;
    (tf.engine() as unknown as { track(tensor: tf.Tensor): void }).track(leaf);
  }
  const filled = grads.map((g, i) => g ?? tf.zerosLike(inputs[i]!));
  return { value: value as tf.Scalar, aux: aux as A, grads: unflatten(params, filled) as P };
}

function scalarOf(value: tf.Tensor): tf.Scalar {
  if (value.size !== 1)
    throw new TypeError(
      `valueAndGrad: a function that gives a scalar is required, got shape [${value.shape}]; end it with tf.mean or tf.sum`,
    );
  return tf.reshape(value, []);
}

/** Functions of several results whose gradients are written by hand. */
import * as tf from "@tensorflow/tfjs-core";

type RunKernel = (call: {
  forwardFunc: (backend: unknown, save: (tensors: tf.Tensor[]) => void) => tf.Tensor[];
  backwardsFunc: (dys: tf.Tensor[], saved: tf.Tensor[]) => { readonly [name: string]: () => tf.Tensor };
  inputs: { readonly [name: string]: tf.Tensor };
}) => tf.Tensor[];

/**
 * `fn` of `inputs`, with the gradients that `gradient` gives by them from those of the results. Only the inputs, and constants without a gradient behind them,
 * are kept for it: what it needs besides it computes again, which costs nothing within a compiled function.
 */
export function custom(
  fn: (inputs: readonly tf.Tensor[]) => tf.Tensor[],
  gradient: (dys: readonly tf.Tensor[], inputs: readonly tf.Tensor[]) => readonly tf.Tensor[],
  inputs: readonly tf.Tensor[],
  constants: readonly tf.Tensor[] = [],
): tf.Tensor[] {
  const all = [...inputs, ...constants];
  return (tf.engine() as unknown as { runKernelFunc: RunKernel }).runKernelFunc({
    inputs: Object.fromEntries(inputs.map((tensor, i) => [i, tensor])),
    forwardFunc(_, save) {
      save(all);
      return fn(all);
    },
    backwardsFunc(dys, saved) {
      const grads = gradient([dys].flat(), saved);
      return Object.fromEntries(grads.map((grad, i) => [i, () => grad]));
    },
  });
}

import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";

/**
 * Stochastic gradient descent, with momentum if asked for.
 *
 * `v ← momentum · v + g`, `w ← w − lr · v` (with `nesterov`: `w ← w − lr · (g + momentum · v)`), where weight decay adds
 * `weightDecay · w` to the gradient: PyTorch's conventions.
 *
 * @example
 * ```ts
 * import { sgd } from "thalweg";
 * sgd({ lr: 0.05, momentum: 0.9 });
 * ```
 */
export const sgd = optimizer(
  "sgd",
  {
    /** Learning rate. */
    lr: 0.01,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0,
    /** Whether the step looks ahead (Sutskever et al. 2013). */
    nesterov: false,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ momentum, nesterov, weightDecay }) => ({
    init: (params) => (momentum === 0 ? [] : zeros(params)),
    update(grads, state, params, rate) {
      const down = tf.neg(rate);
      const pulled = decayed(grads, params, weightDecay);
      if (momentum === 0) return [mapTensors((g: tf.Tensor) => tf.mul(g, down), pulled), state];
      const velocity = add(pulled, state, momentum);
      const direction = nesterov ? add(pulled, velocity, momentum) : velocity;
      return [mapTensors((v: tf.Tensor) => tf.mul(v, down), direction), velocity];
    },
  }),
);

function add(a: Tree, b: Tree, times: number): Tree {
  return mapTensors((x: tf.Tensor, y: tf.Tensor) => tf.add(x, tf.mul(y, times)), a, b);
}

import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";
import { squared } from "../parts/moments.ts";

/**
 * Adadelta: steps in the units of the weights, by the root of the running mean square of past steps over that of the gradients.
 *
 * Zeiler 2012, arXiv:1212.5701, algorithm 1, times a rate; PyTorch's conventions. Weight decay adds `weightDecay · w` to the gradient.
 *
 * @example
 * ```ts
 * import { adadelta } from "thalweg";
 * adadelta().rate; // 1
 * ```
 */
export const adadelta = optimizer(
  "adadelta",
  {
    /** Learning rate. */
    lr: 1,
    /** Share of the running mean squares that is kept. */
    decay: 0.9,
    /** Added under both roots. */
    epsilon: 1e-6,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ decay, epsilon, weightDecay }) => ({
    init: (params): Tree => ({ square: zeros(params), steps: zeros(params) }),
    update(grads, state, params, rate) {
      const had = state as { readonly square: Tree; readonly steps: Tree };
      const g = decayed(grads, params, weightDecay);
      const square = squared(had.square, g, decay);
      const root = (of: tf.Tensor): tf.Tensor => tf.sqrt(tf.add(of, epsilon));
      const moved = mapTensors((a, v, s) => tf.mul(tf.div(root(s!), root(v!)), a), g, square, had.steps);
      const down = tf.neg(rate);
      return [mapTensors((a) => tf.mul(a, down), moved), { square, steps: squared(had.steps, moved, decay) }];
    },
  }),
);

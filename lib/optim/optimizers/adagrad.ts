import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";

/**
 * AdaGrad: each weight's step is divided by the root of the sum of its squared gradients so far, so that steps only get smaller.
 *
 * `s ← s + g²`, `w ← w − lr · g / (√s + epsilon)`; weight decay adds `weightDecay · w` to the gradient: PyTorch's conventions. The sums
 * are kept from one experience to the next.
 *
 * Duchi, Hazan and Singer 2011, "Adaptive subgradient methods for online learning and stochastic optimization", figure 1, the diagonal form.
 *
 * @example
 * ```ts
 * import { adagrad } from "thalweg";
 * adagrad({ lr: 0.01 });
 * ```
 */
export const adagrad = optimizer(
  "adagrad",
  {
    /** Learning rate. */
    lr: 0.01,
    /** Added to the root of the sum. */
    epsilon: 1e-10,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ epsilon, weightDecay }) => ({
    init: (params) => zeros(params),
    update(grads, state, params, rate) {
      const down = tf.neg(rate);
      const g = decayed(grads, params, weightDecay);
      const sums = mapTensors((s: tf.Tensor, a: tf.Tensor) => tf.add(s, tf.square(a)), state, g) as Tree;
      const updates = mapTensors(
        (a: tf.Tensor, s: tf.Tensor) => tf.mul(tf.div(a, tf.add(tf.sqrt(s), epsilon)), down),
        g,
        sums,
      );
      return [updates as Tree, sums];
    },
  }),
);

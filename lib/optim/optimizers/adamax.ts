import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";
import { blended } from "../parts/moments.ts";

/**
 * Adamax: Adam with the greatest gradient of late in place of the root of the mean square.
 *
 * Kingma and Ba 2015, arXiv:1412.6980, algorithm 2; PyTorch's conventions. Weight decay adds `weightDecay · w` to the gradient.
 *
 * @example
 * ```ts
 * import { adamax } from "thalweg";
 * adamax({ lr: 2e-3 });
 * ```
 */
export const adamax = optimizer(
  "adamax",
  {
    /** Learning rate. */
    lr: 2e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the greatest gradient that is kept. */
    beta2: 0.999,
    /** Added to the size of a gradient. */
    epsilon: 1e-8,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, epsilon, weightDecay }) => ({
    init: (params): Tree => ({ mean: zeros(params), greatest: zeros(params), power: tf.scalar(1) }),
    update(grads, state, params, rate) {
      const had = state as { readonly mean: Tree; readonly greatest: Tree; readonly power: tf.Tensor };
      const g = decayed(grads, params, weightDecay);
      const mean = blended(had.mean, g, beta1);
      const greatest = mapTensors((u, a) => tf.maximum(tf.mul(u, beta2), tf.add(tf.abs(a!), epsilon)), had.greatest, g);
      const power = tf.mul(had.power, beta1);
      const size = tf.div(tf.neg(rate), tf.sub(1, power));
      return [mapTensors((m, u) => tf.mul(tf.div(m, u!), size), mean, greatest), { mean, greatest, power }];
    },
  }),
);

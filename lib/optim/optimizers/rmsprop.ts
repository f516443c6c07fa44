import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";
import { blended, squared } from "../parts/moments.ts";

/**
 * RMSprop: each weight's step is divided by the root of the running mean of its squared gradients, or with `centered` of their variance.
 *
 * Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; centred as in Graves 2013, arXiv:1308.0850, section 2.1;
 * PyTorch's conventions. Weight decay adds `weightDecay · w` to the gradient.
 *
 * @example
 * ```ts
 * import { rmsprop } from "thalweg";
 * rmsprop({ lr: 1e-3, momentum: 0.9 });
 * ```
 */
export const rmsprop = optimizer(
  "rmsprop",
  {
    /** Learning rate. */
    lr: 0.01,
    /** Share of the running mean square that is kept. */
    decay: 0.99,
    /** Added to the root. */
    epsilon: 1e-8,
    /** Share of the last step that is kept, in [0, 1). */
    momentum: 0,
    /** Whether the mean gradient is taken out of its mean square. */
    centered: false,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ decay, epsilon, momentum, centered, weightDecay }) => ({
    init: (params): Tree => ({
      square: zeros(params),
      ...(centered && { mean: zeros(params) }),
      ...(momentum !== 0 && { velocity: zeros(params) }),
    }),
    update(grads, state, params, rate) {
      const had = state as { readonly square: Tree; readonly mean?: Tree; readonly velocity?: Tree };
      const g = decayed(grads, params, weightDecay);
      const square = squared(had.square, g, decay);
      const mean = had.mean && blended(had.mean, g, decay);
      const spread = mean === undefined ? square : mapTensors((v, m) => tf.sub(v, tf.square(m!)), square, mean);
      const scaled = mapTensors((a, v) => tf.div(a, tf.add(tf.sqrt(v!), epsilon)), g, spread);
      const velocity = had.velocity && mapTensors((b, a) => tf.add(tf.mul(b, momentum), a!), had.velocity, scaled);
      const down = tf.neg(rate);
      const updates = mapTensors((a) => tf.mul(a, down), velocity ?? scaled);
      return [updates, { square, ...(mean && { mean }), ...(velocity && { velocity }) }];
    },
  }),
);

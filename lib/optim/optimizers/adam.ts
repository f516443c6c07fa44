import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";

/**
 * Adam: steps scaled by running first and second moments of the gradient.
 *
 * Kingma and Ba 2015, algorithm 1. `weightDecay` adds `weightDecay · w` to the gradient (L2, not AdamW); state is kept from one
 * experience to the next.
 *
 * @example
 * ```ts
 * import { adam } from "thalweg";
 * adam({ lr: 1e-3 });
 * ```
 */
export const adam = optimizer(
  "adam",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, epsilon, weightDecay }) => ({
    init: (params) => ({ mean: zeros(params), square: zeros(params), power1: tf.scalar(1), power2: tf.scalar(1) }),
    update(grads, state, params, rate) {
      const { mean, square, power1, power2 } = state as {
        mean: Tree;
        square: Tree;
        power1: tf.Tensor;
        power2: tf.Tensor;
      };
      const g = decayed(grads, params, weightDecay);
      const nextMean = mapTensors(
        (m: tf.Tensor, a: tf.Tensor) => tf.add(tf.mul(m, beta1), tf.mul(a, 1 - beta1)),
        mean,
        g,
      );
      const nextSquare = mapTensors(
        (s: tf.Tensor, a: tf.Tensor) => tf.add(tf.mul(s, beta2), tf.mul(tf.square(a), 1 - beta2)),
        square,
        g,
      );
      const [next1, next2] = [tf.mul(power1, beta1), tf.mul(power2, beta2)];
      const size = tf.div(tf.neg(rate), tf.sub(1, next1));
      const correction = tf.sqrt(tf.sub(1, next2));
      const updates = mapTensors(
        (m: tf.Tensor, s: tf.Tensor) => tf.mul(tf.div(m, tf.add(tf.div(tf.sqrt(s), correction), epsilon)), size),
        nextMean,
        nextSquare,
      );
      return [updates, { mean: nextMean, square: nextSquare, power1: next1, power2: next2 }];
    },
  }),
);

import { mapTensors, sumTree, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer } from "../optimizer.ts";

/**
 * AdaGrad with one sum for all weights: the step is divided by the root of the sum of the gradient's squared norms so far.
 *
 * `s ← s + ‖g‖²`, `w ← w − lr · g / √s`, where `s` begins at `initial²`; weight decay adds `weightDecay · w` to the gradient. The sum is kept
 * from one experience to the next.
 *
 * Ward, Wu and Bottou 2019, "AdaGrad stepsizes: sharp convergence over nonconvex landscapes", algorithm 1 (AdaGrad-Norm).
 *
 * @example
 * ```ts
 * import { adagradNorm } from "thalweg";
 * adagradNorm({ lr: 0.1 });
 * ```
 */
export const adagradNorm = optimizer(
  "adagradNorm",
  {
    /** Learning rate. */
    lr: 0.1,
    /** The root of the sum before the first step: the larger, the smaller the first steps. */
    initial: 0.01,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ initial, weightDecay }) => {
    if (!(initial > 0)) throw new RangeError(`adagradNorm: initial must be a positive number, got ${initial}`);
    return {
      init: () => ({ sum: tf.scalar(initial * initial) }),
      update(grads, state, params, rate) {
        const g = decayed(grads, params, weightDecay);
        const { sum } = state as { sum: tf.Tensor };
        const next = tf.add(
          sum,
          sumTree((t) => tf.sum(tf.square(t)) as tf.Scalar, g),
        );
        const size = tf.div(tf.neg(rate), tf.sqrt(next));
        return [mapTensors((t: tf.Tensor) => tf.mul(t, size), g) as Tree, { sum: next }];
      },
    };
  },
);

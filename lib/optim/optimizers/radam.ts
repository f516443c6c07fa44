import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";
import { blended, remaining, squared } from "../parts/moments.ts";

/**
 * Rectified Adam: Adam whose rate is held down while few gradients have been seen, by how much their mean square then varies; the first steps, where
 * that has no finite variance, are those of momentum alone.
 *
 * Liu et al. 2020, "On the variance of the adaptive learning rate and beyond", arXiv:1908.03265, algorithm 2; PyTorch's conventions, where five
 * gradients' worth is the bound. Weight decay adds `weightDecay · w` to the gradient.
 *
 * @example
 * ```ts
 * import { radam } from "thalweg";
 * radam({ lr: 1e-3 });
 * ```
 */
export const radam = optimizer(
  "radam",
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
  ({ beta1, beta2, epsilon, weightDecay }) => {
    const most = 2 / (1 - beta2) - 1;
    return {
      init: (params): Tree => ({
        mean: zeros(params),
        square: zeros(params),
        taken: tf.scalar(0),
        power1: tf.scalar(1),
        left: tf.scalar(0),
      }),
      update(grads, state, params, rate) {
        const had = state as Record<"mean" | "square", Tree> & Record<"taken" | "power1" | "left", tf.Tensor>;
        const g = decayed(grads, params, weightDecay);
        const [mean, square] = [blended(had.mean, g, beta1), squared(had.square, g, beta2)];
        const taken = tf.add(had.taken, 1);
        const [power1, left] = [tf.mul(had.power1, beta1), remaining(had.left, beta2)];
        const length = tf.sub(most, tf.div(tf.mul(tf.mul(taken, tf.sub(1, left)), 2), left));
        const above = tf.greater(length, 5);
        const safe = tf.maximum(length, 5);
        const rectified = tf.sqrt(
          tf.div(tf.mul(tf.mul(tf.sub(safe, 4), tf.sub(safe, 2)), most), tf.mul(safe, (most - 4) * (most - 2))),
        );
        const size = tf.div(tf.neg(rate), tf.sub(1, power1));
        const adapted = tf.mul(tf.sqrt(left), rectified);
        const updates = mapTensors(
          (m, v) => {
            const plain = tf.mul(m, size);
            return tf.where(above, tf.mul(plain, tf.div(adapted, tf.add(tf.sqrt(v!), epsilon))), plain);
          },
          mean,
          square,
        );
        return [updates, { mean, square, taken, power1, left }];
      },
    };
  },
);

import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import { decayed, optimizer, zeros } from "../optimizer.ts";
import { blended, remaining, squared } from "../parts/moments.ts";

/**
 * Adam that looks ahead as Nesterov's momentum does, with momentum that grows to its full share: `μ_t = β₁ (1 − ½ · 0.96^(t · momentumDecay))`.
 *
 * Dozat 2016, "Incorporating Nesterov momentum into Adam"; PyTorch's conventions. Weight decay adds `weightDecay · w` to the gradient.
 *
 * @example
 * ```ts
 * import { nadam } from "thalweg";
 * nadam({ lr: 2e-3 });
 * ```
 */
export const nadam = optimizer(
  "nadam",
  {
    /** Learning rate. */
    lr: 2e-3,
    /** Share of the running mean that is kept at last. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** How fast momentum comes to its full share. */
    momentumDecay: 4e-3,
    /** Pull of the weights towards 0. */
    weightDecay: 0,
  },
  ({ beta1, beta2, epsilon, momentumDecay, weightDecay }) => {
    const share = (t: tf.Tensor): tf.Tensor =>
      tf.mul(tf.sub(1, tf.mul(tf.exp(tf.mul(t, momentumDecay * Math.log(0.96))), 0.5)), beta1);
    return {
      init: (params): Tree => ({
        mean: zeros(params),
        square: zeros(params),
        taken: tf.scalar(0),
        shares: tf.scalar(1),
        left: tf.scalar(0),
      }),
      update(grads, state, params, rate) {
        const had = state as Record<"mean" | "square", Tree> & Record<"taken" | "shares" | "left", tf.Tensor>;
        const g = decayed(grads, params, weightDecay);
        const [mean, square] = [blended(had.mean, g, beta1), squared(had.square, g, beta2)];
        const taken = tf.add(had.taken, 1);
        const [now, then] = [share(taken), share(tf.add(taken, 1))];
        const [shares, left] = [tf.mul(had.shares, now), remaining(had.left, beta2)];
        const ofGradient = tf.div(tf.sub(1, now), tf.sub(1, shares));
        const ofMean = tf.div(then, tf.sub(1, tf.mul(shares, then)));
        const down = tf.neg(rate);
        const updates = mapTensors(
          (a, m, v) => {
            const direction = tf.add(tf.mul(a, ofGradient), tf.mul(m!, ofMean));
            return tf.mul(tf.div(direction, tf.add(tf.sqrt(tf.div(v!, left)), epsilon)), down);
          },
          g,
          mean,
          square,
        );
        return [updates, { mean, square, taken, shares, left }];
      },
    };
  },
);

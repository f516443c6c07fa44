import { leaves, mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { widenedLike, zerosFor } from "../parts/anchor.ts";
import { requireNumber, strategy } from "../strategy.ts";

/** What steps change. A type, not an interface, so that it is a tree of tensors. */
type Traces = { readonly utility: Weights; readonly power: tf.Tensor };

interface Memory {
  readonly carried: Traces;
}

/**
 * Utility-based perturbed gradient descent: useful weights are spared, useless ones are shaken.
 *
 * The utility of a weight is the running mean of `−g·θ`, corrected for its start at 0 and divided by the largest of all; with
 * `U = sigmoid` of that, the gradient becomes `(g + deviation · noise) · (1 − U)`. With plain descent (`sgd`) this is the paper's update,
 * without task boundaries; a weight of utility 0 moves half as far as without the method (the authors' code doubles the rate).
 *
 * Elsayed and Mahmood 2024, arXiv:2404.00781, algorithm 1 (weight utility, first order).
 * Differs from the paper: decay of the weights is left to the optimizer's `weightDecay`. Compose it before strategies that project.
 *
 * Implements: P260 UPGD
 *
 * @example
 * ```ts
 * import { upgd } from "thalweg";
 * upgd({ deviation: 0.001, decay: 0.999 });
 * ```
 */
export const upgd = strategy(
  "upgd",
  {
    /** Deviation of the noise. */
    deviation: 0.001,
    /** Share of the running utility that is kept at each step, in [0, 1). */
    decay: 0.999,
  },
  ({ deviation, decay }) => {
    requireNumber("upgd", "deviation", deviation, 0);
    requireNumber("upgd", "decay", decay, 0, 0.999999);
    const traced = ({ utility, power }: Traces, gradient: Weights, weights: Weights): Traces => ({
      utility: mapTensors(
        (u, g, w) => tf.sub(tf.mul(u, decay), tf.mul(tf.mul(g!, w!), 1 - decay)),
        utility,
        gradient,
        weights,
      ),
      power: tf.mul(power, decay),
    });
    return {
      init: ({ weights }): Memory => ({ carried: { utility: zerosFor(weights), power: tf.scalar(1) } }),
      beforeExperience: ({ carried }: Memory, _experience, { weights }): Memory => ({
        carried: { utility: widenedLike(carried.utility, weights), power: carried.power.clone() },
      }),
      gradient({ carried }, gradient, { weights, rng }) {
        const { utility, power } = traced(carried, gradient, weights);
        const all = leaves(utility as unknown as Tree);
        const most = tf.div(tf.max(tf.stack(all.map((u) => tf.max(u)))), tf.sub(1, power));
        const scale = tf.mul(tf.sub(1, power), tf.add(most, tf.mul(tf.cast(tf.equal(most, 0), "float32"), 1)));
        let next = 0;
        return mapTensors(
          (g, u) => {
            const noise = rng === null ? tf.zerosLike(g) : rng.at("noise", next++).normals(g.shape);
            const free = tf.sub(1, tf.sigmoid(tf.div(u!, scale)));
            return tf.mul(tf.add(g, tf.mul(noise, deviation)), free);
          },
          gradient,
          utility,
        );
      },
      update: ({ carried }, { before, slope }): Tree => traced(carried, slope, before) as unknown as Tree,
    };
  },
);

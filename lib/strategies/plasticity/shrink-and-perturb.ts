import { leaves, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import { heldStill } from "../../models/parts/held-still.ts";
import { requireNumber, requireOneOf, strategy } from "../strategy.ts";

/**
 * Shrinks all weights that are trained and adds noise, so that the network stays able to learn.
 *
 * `θ ← shrink · θ + deviation · noise`, when an experience begins (from the second on) or after every step.
 *
 * Ash and Adams 2020, arXiv:1910.08475, section 4; after every step: Dohare et al. 2024, "Loss of plasticity in deep continual learning".
 * Differs from the paper: the noise is normal with one deviation for all weights, rather than a scaled draw of the initial rule.
 *
 * @example
 * ```ts
 * import { shrinkAndPerturb } from "thalweg";
 * shrinkAndPerturb({ shrink: 0.8, deviation: 0.01 });
 * ```
 */
export const shrinkAndPerturb = strategy(
  "shrinkAndPerturb",
  {
    /** What weights are multiplied by, in [0, 1]. */
    shrink: 0.8,
    /** Deviation of the noise. */
    deviation: 0.01,
    /** When it is done. */
    every: "experience" as "experience" | "step",
  },
  ({ shrink, deviation, every }) => {
    requireNumber("shrinkAndPerturb", "shrink", shrink, 0, 1);
    requireNumber("shrinkAndPerturb", "deviation", deviation, 0);
    requireOneOf("shrinkAndPerturb", "every", every, ["experience", "step"]);
    if (every === "experience") {
      return {
        tokens: true,
        beforeExperience(_state, { index }, { network, weights, rng }) {
          if (index === 0) return {};
          const own = rng.at("noise", index);
          const moved = (w: tf.Tensor): tf.Tensor => tf.add(tf.mul(w, shrink), own.normals(w.shape, 0, deviation));
          return { weights: scoped(() => heldStill(mapTensors(moved, weights), weights, network.frozen)) };
        },
      };
    }
    return {
      tokens: true,
      weights(_state, { after }, { rng }) {
        if (rng === null) return after;
        const count = leaves(after as unknown as Tree).length;
        let next = 0;
        return mapTensors(
          (w) => tf.add(tf.mul(w, shrink), tf.mul(rng.at("perturb", next++ % count).normals(w.shape), deviation)),
          after,
        );
      },
    };
  },
);

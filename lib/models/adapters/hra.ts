import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * Mirrors what comes into a layer at a few trained planes, one after the other: `H_r … H₁ W` with `H = I − 2 u uᵀ / ‖u‖²`.
 *
 * Planes begin in equal pairs, whose mirrors undo one another, so that the network begins as it was: `rank` is even.
 *
 * Yuan, Liu and Xu 2024, "Bridging the gap between low-rank and orthogonal adaptation via Householder reflection adaptation",
 * arXiv:2405.17484, section 3.1, without the penalty that keeps the planes apart.
 *
 * @example
 * ```ts
 * import { hra, vit } from "thalweg";
 * vit().adapt(hra({ rank: 4, on: "block*" }));
 * ```
 */
export const hra = adapter(
  "hra",
  {
    /** How many planes. */
    rank: 8,
  },
  { kind: "weight" },
  ({ rank }) => {
    needWhole("hra", "rank", rank, 2);
    if (rank % 2 !== 0)
      throw new RangeError(`hra: an even rank is required, got ${rank}; planes begin in pairs that undo one another`);
    return onKernels({
      init(rng, { shape: [inputs] }) {
        const half = drawWeights("torch", rng.at("planes"), [rank / 2, 1, inputs], inputs, rank);
        return { planes: tf.reshape(tf.tile(half, [1, 2, 1]), [rank, inputs]) };
      },
      changed({ planes }, kernel) {
        const all = planes as tf.Tensor2D;
        const units = tf.div(all, tf.sqrt(tf.sum(tf.square(all), 1, true)));
        let turned: tf.Tensor = kernel;
        for (let i = 0; i < rank; i++) {
          const u = tf.slice(units, [i, 0], [1, all.shape[1]]);
          turned = tf.sub(turned, tf.mul(tf.matMul(u, tf.matMul(u, turned), true), 2));
        }
        return turned;
      },
    });
  },
);

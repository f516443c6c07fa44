import { tf } from "../../engine/index.ts";
import { requireNumber, strategy } from "../strategy.ts";

/**
 * z-loss: the loss gets `weight · mean(log² Z)` more, Z being the sum of the exponentials of an example's logits, or of those at each place, so that logits do not
 * drift away from log probabilities.
 *
 * Columns that do not compete are not in Z. Chowdhery et al. 2022, arXiv:2204.02311, section 5; Wortsman et al. 2023, arXiv:2309.14322, section 3.1.2.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, zLoss } from "thalweg";
 * classes(digits()).learn(mlp({ hidden: [32] })).by(zLoss({ weight: 1e-3 }));
 * ```
 */
export const zLoss = strategy(
  "zLoss",
  {
    /** Strength. */
    weight: 1e-4,
  },
  ({ weight }) => {
    requireNumber("zLoss", "weight", weight, 0);
    return {
      tokens: true,
      loss(_state: object, { logits, mask }) {
        const open = mask === null || logits.rank !== 2 ? logits : tf.add(logits, tf.mul(tf.sub(mask, 1), 1e9));
        return tf.mul(tf.mean(tf.square(tf.logSumExp(open, -1))), weight) as tf.Scalar;
      },
    };
  },
);

import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { scaledGradient } from "../parts/gradients.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * Low-rank adaptation without dropout and scale, `W + D U`, in which the gradient of what leads to each unit of U is divided by the length of
 * these numbers: `1 / √(‖u‖ + 1 / η²)`, at first η.
 *
 * U begins as zeros, so that the network begins as it was, and soon leaves them.
 *
 * Implements: P038 ALLoRA
 *
 * Huang and Balestriero 2024, arXiv:2410.09692, section 4, equation 8. D is drawn by the He rule, as in LoRA.
 *
 * @example
 * ```ts
 * import { allora, vit } from "thalweg";
 * vit().adapt(allora({ rank: 4 }));
 * ```
 */
export const allora = adapter(
  "allora",
  {
    /** Width of the two matrices. */
    rank: 8,
    /** η: the factor of the gradient where U is zero. */
    eta: 8,
  },
  { kind: "weight" },
  ({ rank, eta }) => {
    needWhole("allora", "rank", rank);
    if (!(eta > 0)) throw new RangeError(`allora: an eta above 0 is required, got ${eta}`);
    const factor = (up: tf.Tensor): tf.Tensor =>
      tf.rsqrt(tf.add(tf.sqrt(tf.sum(tf.square(up), 0, true)), 1 / (eta * eta)));
    return onKernels({
      init(rng, { shape: [inputs, units] }) {
        return {
          down: drawWeights("he", rng.at("down"), [inputs, rank], inputs, rank),
          up: tf.zeros([rank, units]),
        };
      },
      changed({ down, up }, kernel) {
        return tf.add(kernel, tf.matMul(down as tf.Tensor2D, scaledGradient(up as tf.Tensor2D, factor)));
      },
    });
  },
);

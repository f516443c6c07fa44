import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { still } from "../parts/gradients.ts";
import { onKernels, productOf } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * Low-rank adaptation of directions, with a trained length for each unit: `m ∘ V / ‖V‖` by columns of `V = W + alpha / rank · D U`.
 *
 * It begins as the network is: m as the lengths of W's columns, U as zeros. The lengths `‖V‖` count as constants in the gradient.
 *
 * Liu et al. 2024, "DoRA: weight-decomposed low-rank adaptation", arXiv:2402.09353, equations 5 and 11 and section 4.3; the draw of D is peft's.
 *
 * @example
 * ```ts
 * import { dora, resnet18 } from "thalweg";
 * resnet18().adapt(dora({ rank: 4, on: "stage4*" }));
 * ```
 */
export const dora = adapter(
  "dora",
  {
    /** Width of the two matrices. */
    rank: 8,
    /** The product is multiplied by `alpha / rank`. */
    alpha: 8,
  },
  { kind: "weight" },
  ({ rank, alpha }) => {
    needWhole("dora", "rank", rank);
    const lengths = (of: tf.Tensor2D): tf.Tensor => tf.sqrt(tf.sum(tf.square(of), 0));
    return onKernels({
      init(rng, kernel) {
        const [inputs, units] = kernel.shape;
        return {
          down: drawWeights("torch", rng.at("down"), [inputs, rank], inputs, rank),
          up: tf.zeros([rank, units]),
          length: lengths(kernel),
        };
      },
      changed(own, kernel) {
        const moved = tf.add(kernel, tf.mul(productOf(own, "down", "up"), alpha / rank)) as tf.Tensor2D;
        // a column of zeros stays one
        const scale = tf.div(own.length as tf.Tensor, tf.maximum(still(lengths(moved)), 1e-12));
        return tf.mul(moved, scale);
      },
    });
  },
);

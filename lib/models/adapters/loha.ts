import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { onKernels, productOf } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A change of a kernel that is the product, number by number, of two products of narrow matrices: `W + alpha / rank · (A₁ B₁) ∘ (A₂ B₂)`.
 *
 * Its rank is up to the square of that of the factors. One factor begins as zeros, so that the network begins as it was.
 *
 * Hyeon-Woo, Ye-Bin and Oh 2022, "FedPara: low-rank Hadamard product for communication-efficient federated learning", arXiv:2108.06098,
 * proposition 1; as LoHa in Yeh et al. 2024, arXiv:2309.14859. The draws are peft's. Differs from the paper: a kernel of a convolution is one
 * matrix.
 *
 * @example
 * ```ts
 * import { loha, vit } from "thalweg";
 * vit().adapt(loha({ rank: 4 }));
 * ```
 */
export const loha = adapter(
  "loha",
  {
    /** Width of the four matrices. */
    rank: 8,
    /** The change is multiplied by `alpha / rank`. */
    alpha: 8,
  },
  { kind: "weight" },
  ({ rank, alpha }) => {
    needWhole("loha", "rank", rank);
    return onKernels({
      init(rng, { shape: [inputs, units] }) {
        const left = (name: string): tf.Tensor => drawWeights("torch", rng.at(name), [inputs, rank], inputs, rank);
        const right = (name: string): tf.Tensor => drawWeights("torch", rng.at(name), [rank, units], rank, units);
        return {
          left1: left("left1"),
          right1: right("right1"),
          left2: tf.zeros([inputs, rank]),
          right2: right("right2"),
        };
      },
      changed(own, kernel) {
        const change = tf.mul(productOf(own, "left1", "right1"), productOf(own, "left2", "right2"));
        return tf.add(kernel, tf.mul(change, alpha / rank));
      },
    });
  },
);

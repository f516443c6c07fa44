import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { kernelsOf, onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A change of the kernels of all its layers as one tensor of low rank: `W + alpha · A G B`, with A and B shared by layers of one shape, and a
 * core G `[rank, rank]` for each layer.
 *
 * Cores begin as zeros and A and B drawn, so that the network begins as it was. For n layers of one shape
 * `(inputs + units) · rank + n · rank²` numbers are trained.
 *
 * Implements: P199 LoTR
 *
 * Bershatsky et al. 2024, "LoTR: low tensor rank weight adaptation", arXiv:2402.01376, section 3. Differs from the paper: A and B are both
 * drawn and cores are zeros, in place of one zero factor.
 *
 * @example
 * ```ts
 * import { gpt, lotr } from "thalweg";
 * gpt().adapt(lotr({ rank: 8, on: ["*query", "*value"] }));
 * ```
 */
export const lotr = adapter(
  "lotr",
  {
    /** Width of the factors, and side of the cores. */
    rank: 8,
    /** The change is multiplied by this. */
    alpha: 1,
  },
  { kind: "weight" },
  ({ rank, alpha }) => {
    needWhole("lotr", "rank", rank);
    return onKernels({
      shared(rng, sites) {
        const shapes = [...new Set(kernelsOf(sites).map(([inputs, units]) => `${inputs}x${units}`))];
        return Object.fromEntries(
          shapes.flatMap((shape) => {
            const [inputs, units] = shape.split("x").map(Number) as [number, number];
            return [
              [`left${shape}`, drawWeights("torch", rng.at("left", shape), [inputs, rank], inputs, rank)],
              [`right${shape}`, drawWeights("torch", rng.at("right", shape), [rank, units], rank, units)],
            ];
          }),
        );
      },
      init: () => ({ core: tf.zeros([rank, rank]) }),
      changed(own, kernel) {
        const shape = kernel.shape.join("x");
        const [left, right] = [own[`left${shape}`], own[`right${shape}`]] as [tf.Tensor2D, tf.Tensor2D];
        const change = tf.matMul(tf.matMul(left, own.core as tf.Tensor2D), right);
        return tf.add(kernel, tf.mul(change, alpha));
      },
    });
  },
);

import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { kernelsOf, onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * Two random matrices that all layers share and nothing trains, with trained factors between and after them: `W + A diag(d) B diag(b)`.
 *
 * Of A and B a layer takes as many rows and columns as it has. d begins as `begin`, b as zeros, so that the network begins as it was; trained
 * are `rank + units` numbers for each layer.
 *
 * Kopiczko et al. 2024, "VeRA: vector-based random matrix adaptation", arXiv:2310.11454, equation 2; A and B are drawn by the He rule with
 * uniform numbers, as in section 3.2.
 *
 * @example
 * ```ts
 * import { gpt, vera } from "thalweg";
 * gpt().adapt(vera({ rank: 64, on: ["*query", "*value"] }));
 * ```
 */
export const vera = adapter(
  "vera",
  {
    /** Width of the two matrices. */
    rank: 64,
    /** What d begins as. */
    begin: 0.1,
  },
  { kind: "weight" },
  ({ rank, begin }) => {
    needWhole("vera", "rank", rank);
    return onKernels({
      fixed: ["down", "up"],
      shared(rng, sites) {
        const shapes = kernelsOf(sites);
        const [inputs, units] = [0, 1].map((i) => Math.max(1, ...shapes.map((shape) => shape[i]!))) as [number, number];
        return {
          down: drawWeights("he", rng.at("down"), [inputs, rank], inputs, rank),
          up: drawWeights("he", rng.at("up"), [rank, units], rank, units),
        };
      },
      init: (_rng, { shape: [, units] }) => ({ inner: tf.fill([rank], begin), outer: tf.zeros([units]) }),
      changed({ down, up, inner, outer }, kernel) {
        const [inputs, units] = kernel.shape;
        const left = tf.mul(tf.slice(down as tf.Tensor, [0, 0], [inputs, rank]), inner as tf.Tensor);
        const right = tf.mul(tf.slice(up as tf.Tensor, [0, 0], [rank, units]), outer as tf.Tensor);
        return tf.add(kernel, tf.matMul(left, right));
      },
    });
  },
);

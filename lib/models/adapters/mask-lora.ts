import { needOneOf, needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { onKernels, productOf } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * Retrains a pruned network with few numbers: a low-rank change of each kernel where it is not 0, so that what is 0 stays 0, also when it is merged.
 *
 * `W + alpha / rank · (D U) ∘ [W ≠ 0]`, D drawn and U zero; with `form: "scale"` it is `W ∘ (D U)`, both beginning so that the product is 1. With biases and
 * normalisations, which are most of the effect and cost next to nothing, it is `maskLora()` and
 * `.trainOnly([{ kind: "adapter" }, { kind: "bias" }, { kind: "norm" }])` on a model that begins from a pruned network.
 *
 * Implements: P348 PERP
 *
 * Zimmer, Andoni, Spiegel and Pokutta 2023, "PERP: rethinking the prune-retrain paradigm in the era of LLMs", arXiv:2312.15230, section 3.2 (MaskLoRA and
 * ScaleLoRA), and the authors' program.
 *
 * @example
 * ```ts
 * import { from, maskLora, mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const big = trained({ model, input: [4], weights: network(model, [4]).init(random(0), 3) });
 * const small = prune.magnitude(big, { sparsity: 0.5 }).network;
 * from(small).adapt(maskLora({ rank: 2 })).trainOnly([{ kind: "adapter" }, { kind: "bias" }]).features([4]); // [8]
 * ```
 */
export const maskLora = adapter(
  "maskLora",
  {
    /** Width of the two matrices. */
    rank: 8,
    /** The product is multiplied by `alpha / rank`; not with `form: "scale"`. */
    alpha: 8,
    /** "mask": a change where the kernel is not 0; "scale": a factor. */
    form: "mask" as string,
  },
  { kind: "weight" },
  ({ rank, alpha, form }) => {
    needWhole("maskLora", "rank", rank);
    needOneOf("maskLora", "form", form, ["mask", "scale"]);
    return onKernels({
      init: (rng, kernel) => {
        const [inputs, units] = kernel.shape;
        if (form === "scale")
          return {
            down: tf.fill([inputs, rank], 1 / Math.sqrt(rank)),
            up: tf.fill([rank, units], 1 / Math.sqrt(rank)),
          };
        return {
          down: drawWeights("torch", rng.at("down"), [inputs, rank], inputs, rank),
          up: tf.zeros([rank, units]),
        };
      },
      changed(own, kernel) {
        const product = productOf(own, "down", "up");
        if (form === "scale") return tf.mul(kernel, product);
        const open = tf.cast(tf.notEqual(kernel, 0), "float32");
        return tf.add(kernel, tf.mul(tf.mul(product, open), alpha / rank));
      },
    });
  },
);

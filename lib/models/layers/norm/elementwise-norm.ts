import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import { normParams } from "../../parts/product.ts";

/** Options of `elementwiseNorm`. */
export interface ElementwiseNormOptions {
  /** "isru": `√C · x / √(β² + x²)`, C being the channels and β trained. "tanh": `tanh(α x)`, α being trained. Default "isru". */
  readonly form?: "isru" | "tanh";
  /** What β or α begins as. Default √C, with which numbers around 1 pass nearly as they are, or ½. */
  readonly begin?: number;
}

/**
 * What takes the place of normalisation without statistics: each number by itself is bounded by a function with one trained parameter for the layer, then
 * each channel is scaled and shifted.
 *
 * Layer normalisation makes an outlier at most √C, however large it is; so does the inverse square root ("isru"), which is normalisation by the root
 * mean square with what the other channels add taken to be the same everywhere. The hyperbolic tangent ("tanh") is DyT.
 *
 * Implements: P145 Elementwise LayerNorm (DyISRU)
 * Stollenwerk 2025, "Elementwise layer normalization", arXiv:2503.21708, equation 15; DyT: Zhu et al. 2025, arXiv:2503.10622, section 4.
 * Differs from the paper: what is trained is the root of its β, so that β stays above 0.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).elementwiseNorm({ form: "tanh" }).features([3]); // [16]
 * ```
 */
export const elementwiseNorm = sameLayer("elementwiseNorm", ({ form = "isru", begin }: ElementwiseNormOptions = {}) => {
  needOneOf("elementwiseNorm", "form", form, ["isru", "tanh"]);
  if (begin !== undefined && !(begin > 0 && Number.isFinite(begin)))
    throw new RangeError(`elementwiseNorm: a begin above 0 is required, got ${begin}`);
  return {
    options: { form, ...(begin !== undefined && { begin }) },
    byPlace: true,
    shape: (input) => input,
    init: (_rng, input) => ({
      bound: tf.scalar(begin ?? (form === "isru" ? Math.sqrt(input.at(-1)!) : 0.5)),
      ...normParams(input.at(-1)!),
    }),
    apply(x, params) {
      const bound = params.bound as tf.Tensor;
      const bounded =
        form === "tanh"
          ? tf.tanh(tf.mul(x, bound))
          : tf.mul(x, tf.mul(tf.rsqrt(tf.add(tf.square(x), tf.square(bound))), Math.sqrt(x.shape.at(-1)!)));
      return tf.add(tf.mul(bounded, params.scale as tf.Tensor), params.shift as tf.Tensor);
    },
  };
});

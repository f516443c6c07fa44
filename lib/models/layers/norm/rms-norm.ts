import { nn, tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";

/**
 * Divides the numbers of each example, at each place, by the root of their mean square, and multiplies them by a trained scale.
 *
 * Layer normalisation without the mean and the shift. Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).rmsNorm().relu();
 * ```
 */
export const rmsNorm = sameLayer("rmsNorm", ({ epsilon = 1e-6 }: { readonly epsilon?: number } = {}) => ({
  options: { epsilon },
  byPlace: true,
  shape: (input) => input,
  init: (_rng, input) => ({ scale: tf.ones([input.at(-1)!]) }),
  apply: (x, params) => nn.rmsNormalise(x, params.scale as tf.Tensor, epsilon),
}));

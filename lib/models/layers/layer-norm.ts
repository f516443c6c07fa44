import { nn, type tf } from "../../engine/index.ts";
import { sameLayer } from "../layer.ts";
import { normParams } from "../parts/product.ts";

/**
 * Normalises the numbers of each example, at each place, by their own mean and variance (Ba, Kiros and Hinton 2016).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).layerNorm().relu();
 * ```
 */
export const layerNorm = sameLayer("layerNorm", ({ epsilon = 1e-5 }: { readonly epsilon?: number } = {}) => ({
  options: { epsilon },
  shape: (input) => input,
  init: (_rng, input) => normParams(input.at(-1)!),
  apply: (x, params) => nn.layerNormalise(x, params.scale as tf.Tensor, params.shift as tf.Tensor, epsilon),
}));

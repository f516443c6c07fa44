import { nn, type tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";
import { normParams } from "../../parts/product.ts";

/**
 * Normalises the numbers of each example, at each place, by their own mean and variance (Ba, Kiros and Hinton 2016).
 *
 * Implements: P365 Layer Normalization
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).layerNorm().relu();
 * ```
 */
export const layerNorm = sameLayer("layerNorm", ({ epsilon = 1e-5 }: { readonly epsilon?: number } = {}) => ({
  options: { epsilon },
  byPlace: true,
  shape: (input) => input,
  init: (_rng, input) => normParams(input.at(-1)!),
  apply: (x, params) => nn.layerNormalise(x, params.scale as tf.Tensor, params.shift as tf.Tensor, epsilon),
  counterpart: (x, name, { scale, shift }) =>
    put(tfLayers.layers.layerNormalization({ name, epsilon }), x, [scale, shift]),
}));

import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type GeluForm, requireGelu } from "../../parts/options.ts";
import { normParams, product, productParams } from "../../parts/product.ts";

/** Options of `mixing`. */
export interface MixingOptions {
  /** The form of the Gaussian error linear unit. Default "exact". */
  readonly gelu?: GeluForm;
  /** Added to the variances. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * One block of a mixer: two dense layers across the places of a sequence, then two across the numbers of each place, both pairs with what
 * comes in normalised and then added.
 *
 * `ofPlaces` and `ofChannels` are the units of the inner layers. Sequences keep their shape, and have one length. Tolstikhin et al. 2021,
 * arXiv:2105.01601, equation 1.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(4).dense(16).mixing(8, 32).features([8, 8, 1]); // [4, 16]
 * ```
 */
export const mixing = sameLayer(
  "mixing",
  (ofPlaces: number, ofChannels: number, { gelu = "exact", epsilon = 1e-5 }: MixingOptions = {}) => {
    requireCount("mixing", "ofPlaces", ofPlaces);
    requireCount("mixing", "ofChannels", ofChannels);
    requireGelu("mixing", gelu);
    return {
      options: { ofPlaces, ofChannels, ...(gelu !== "exact" && { gelu }), ...(epsilon !== 1e-5 && { epsilon }) },
      shape(input) {
        if (input.length !== 2)
          throw new RangeError(
            `mixing: a sequence of vectors is required, got shape [${input}]; put patches(size) before it`,
          );
        return input;
      },
      init: (rng, [length, units]): Params => ({
        before: normParams(units!),
        placesUp: productParams(rng.at("placesUp"), length!, ofPlaces),
        placesDown: productParams(rng.at("placesDown"), ofPlaces, length!),
        between: normParams(units!),
        channelsUp: productParams(rng.at("channelsUp"), units!, ofChannels),
        channelsDown: productParams(rng.at("channelsDown"), ofChannels, units!),
      }),
      apply(x, params, mode) {
        const norm = (of: tf.Tensor, part: string): tf.Tensor => {
          const { scale, shift } = params[part] as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
          return nn.layerNormalise(of, scale, shift, epsilon);
        };
        const both = (of: tf.Tensor, part: string): tf.Tensor =>
          product(nn.gelu(product(of, params, `${part}Up`, mode), gelu), params, `${part}Down`, mode);
        const across = both(tf.transpose(norm(x, "before"), [0, 2, 1]), "places");
        const mixed = tf.add(x, tf.transpose(across, [0, 2, 1]));
        return tf.add(mixed, both(norm(mixed, "between"), "channels"));
      },
    };
  },
  ["sequence"],
);

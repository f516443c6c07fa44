import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import { meansOf, repeatedBy } from "../../parts/coarsened.ts";

/**
 * Puts beside a noisy picture what is known of the clean one: the mean of each square of so many pixels, as further channels.
 *
 * `[height, width, channels]` becomes `[height, width, 2 · channels]`: each mean is repeated over its square. A denoiser with this layer makes pictures finer: `diffusion` tells it the means of the
 * picture that it is to find, `sample(network, { from })` those that it is given. Told nothing it has zeros, the middle of the range.
 *
 * The condition is put beside the noisy picture as in Saharia et al. 2021, "Image super-resolution via iterative refinement", arXiv:2104.07636, section 2.4, there enlarged bicubically.
 *
 * @throws RangeError for sides that are no multiples of `side`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conditions(8).coarse(4).conv(8, 3).modulate().silu().conv(1, 3).features([8, 8, 1]); // [8, 8, 1]
 * ```
 */
export const coarse = layer("coarse", { accepts: ["image"], gives: "image" }, (side: number) => {
  requireCount("coarse", "side", side);
  return {
    options: { side },
    shape(input) {
      const [height, width, channels] = input as [number, number, number];
      if (input.length !== 3 || height % side !== 0 || width % side !== 0)
        throw new RangeError(`coarse: images whose sides are multiples of ${side} are required, got shape [${input}]`);
      return [height, width, 2 * channels];
    },
    apply(x, _params, mode) {
      const known = mode.beside("coarse") ?? tf.zerosLike(meansOf(x, side));
      return tf.concat([repeatedBy(known, side), x], 3);
    },
  };
});

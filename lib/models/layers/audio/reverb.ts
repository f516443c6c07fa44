import { fftConvolve, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { requireVectors } from "../../parts/recurrence.ts";

/**
 * The room in which a sound is heard, as a trained response: samples `[length, channels]` keep their shape.
 *
 * `y = x + x ∗ r`, r of `taps` samples for each channel, its first 0, begun as nearly nothing. Freeze all else and train r alone to learn a room; leave it out and hear the sound without.
 *
 * Engel, Hantrakul, Gu and Roberts 2020, arXiv:2001.04643, section 3.5.
 *
 * @throws RangeError when it is longer than the sound.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().reverb(200).features([1024, 1]); // [1024, 1]
 * ```
 */
export const reverb = layer("reverb", { accepts: ["sequence"], gives: "sequence" }, (taps: number) => {
  requireCount("reverb", "taps", taps, 2);
  return {
    options: { taps },
    shape(input) {
      const [length] = requireVectors("reverb", input);
      if (length < taps)
        throw new RangeError(`reverb: sounds of at least ${taps} samples are required, got shape [${input}]`);
      return input;
    },
    init: (rng, [, channels]): Params => ({ response: rng.at("response").normals([channels!, taps], 0, 1e-6) }),
    apply(x, { response }) {
      const [channels] = (response as tf.Tensor).shape as [number, number];
      const later = tf.slice(response as tf.Tensor, [0, 1], [channels, taps - 1]);
      return tf.add(x, fftConvolve(x, tf.concat([tf.zeros([channels, 1]), later], 1)));
    },
  };
});

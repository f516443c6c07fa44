import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import { conditionIn } from "../../parts/conditioned.ts";
import { modulationParams } from "../../parts/modulation.ts";
import { product } from "../../parts/product.ts";

/**
 * Makes an image of a sequence again: each place gives the pixels of its square, by a product that begins at 0.
 *
 * The image is as large as what came into `conditions`, of which `patches(size)` made the sequence: `[places, units]` becomes `[height, width, channels]`.
 * Peebles and Xie 2023, arXiv:2212.09748, section 3.2, "transformer decoder".
 *
 * @throws RangeError where no `conditions` are before it, or the places are not as many as the squares.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conditions(16).patches(2).dense(24).ditBlock(2).modulate({ norm: true }).unpatch(2).features([8, 8, 3]); // [8, 8, 3]
 * ```
 */
export const unpatch = layer("unpatch", { accepts: ["sequence"], gives: "image" }, (size: number) => {
  requireCount("unpatch", "size", size);
  return {
    options: { size },
    shape(input, remembered) {
      const picture = conditionIn("unpatch", "picture", remembered);
      const [height, width] = picture as [number, number];
      if (picture.length !== 3 || input[0] !== (height / size) * (width / size))
        throw new RangeError(
          `unpatch: a place for each square of ${size} of an image is required, got shape [${input}] for [${picture}]; put patches(${size}) after conditions`,
        );
      return picture;
    },
    init: (_rng, input, remembered) => ({
      out: modulationParams(input[1]!, size * size * conditionIn("unpatch", "picture", remembered)[2]!),
    }),
    apply(x, params, mode, remembered) {
      const [, height, width, channels] = conditionIn("unpatch", "picture", remembered).shape as number[];
      const n = x.shape[0]!;
      const [rows, columns] = [height! / size, width! / size];
      const squares = tf.reshape(product(x, params, "out", mode), [n, rows, columns, size, size * channels!]);
      return tf.reshape(tf.transpose(squares, [0, 1, 3, 2, 4]), [n, height!, width!, channels!]);
    },
  };
});

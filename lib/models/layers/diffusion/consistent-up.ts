import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import {
  binaryKind,
  binaryPair,
  binaryPasses,
  requireImage,
  requireSpans,
  type SpansOptions,
} from "../../parts/binary.ts";

/**
 * Makes images twice as wide and high with binary convolutions that keep their shape, so that the input can be added to them: CP-Up.
 *
 * The image goes through two `binaryConv`s of 3×3; of what they give side by side each four channels become the pixels of a square: `[height, width, channels]` becomes
 * `[2 · height, 2 · width, channels / 2]`, as PyTorch's `PixelShuffle` does it.
 *
 * Chen et al. 2024, arXiv:2406.05723, section 3.2, and the authors' program.
 *
 * @throws RangeError for channels that cannot be halved.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).consistentUp().features([4, 4, 1]); // [8, 8, 4]
 * ```
 */
export const consistentUp = layer(
  "consistentUp",
  { accepts: ["image"], gives: "image" },
  ({ spans = 5 }: SpansOptions = {}) => {
    requireSpans("consistentUp", spans);
    return {
      options: { spans },
      shape(input) {
        requireImage("consistentUp", input, 2);
        return [2 * input[0]!, 2 * input[1]!, input[2]! / 2];
      },
      init: (rng, input) => binaryPair(rng, 3, input[2]!, spans),
      kindOf: binaryKind,
      apply(x, params, mode) {
        const [n, height, width, channels] = x.shape as [number, number, number, number];
        const ways = binaryPasses([x, x], params, mode);
        const squares = tf.reshape(tf.concat(ways, 3), [n, height, width, channels / 2, 2, 2]);
        return tf.reshape(tf.transpose(squares, [0, 1, 4, 2, 5, 3]), [n, 2 * height, 2 * width, channels / 2]);
      },
    };
  },
);

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
 * Makes images half as wide and high with binary convolutions that keep their shape, so that the input can be added to them: CP-Down.
 *
 * Each half of the channels goes through a `binaryConv` of 3×3; of their sum the pixels of each square of 2×2 become channels: `[height, width, channels]` becomes
 * `[height / 2, width / 2, 2 · channels]`. A channel gives four neighbours, in the order of the square, as PyTorch's `PixelUnshuffle`.
 *
 * Chen et al. 2024, arXiv:2406.05723, section 3.2, and the authors' program.
 *
 * @throws RangeError for sides or channels that cannot be halved.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).consistentDown().features([8, 8, 1]); // [4, 4, 16]
 * ```
 */
export const consistentDown = layer(
  "consistentDown",
  { accepts: ["image"], gives: "image" },
  ({ spans = 5 }: SpansOptions = {}) => {
    requireSpans("consistentDown", spans);
    return {
      options: { spans },
      shape(input) {
        requireImage("consistentDown", input, 2);
        const [height, width, channels] = input as [number, number, number];
        if (height % 2 !== 0 || width % 2 !== 0)
          throw new RangeError(`consistentDown: sides that can be halved are required, got ${height}×${width}`);
        return [height / 2, width / 2, 2 * channels];
      },
      init: (rng, input) => binaryPair(rng, 3, input[2]! / 2, spans),
      kindOf: binaryKind,
      apply(x, params, mode) {
        const [n, height, width, channels] = x.shape as [number, number, number, number];
        const sum = tf.addN(binaryPasses(tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor], params, mode));
        const squares = tf.reshape(sum, [n, height / 2, 2, width / 2, 2, channels / 2]);
        return tf.reshape(tf.transpose(squares, [0, 1, 3, 5, 2, 4]), [n, height / 2, width / 2, 2 * channels]);
      },
    };
  },
);

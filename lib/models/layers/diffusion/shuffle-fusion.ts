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
import { recalled, requireName } from "../../parts/remembering.ts";

/**
 * Joins what comes in with what `tap(name)` remembered, by binary convolutions of halves of both: CS-Fusion.
 *
 * The two may have numbers of very different sizes, and a binary convolution of one beside the other could not be added to either. Here the second, fourth, … channels of what comes in
 * stand beside the first, third, … of what is remembered, and the other halves likewise; each of the two goes through a `binaryConv` of 1×1, to which it is added, and their sum is given.
 *
 * Chen et al. 2024, arXiv:2406.05723, section 3.3, and the authors' program.
 *
 * @throws RangeError where nothing is remembered under the name, the shapes are not the same, or the channels cannot be halved.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).tap("early").binaryConv(8, 3).shuffleFusion("early").features([4, 4, 1]); // [4, 4, 8]
 * ```
 */
export const shuffleFusion = layer(
  "shuffleFusion",
  { accepts: ["image"], gives: "image" },
  (name: string, { spans = 5 }: SpansOptions = {}) => {
    requireName("shuffleFusion", name);
    requireSpans("shuffleFusion", spans);
    return {
      options: { name, spans },
      shape(input, remembered = new Map()) {
        requireImage("shuffleFusion", input, 2);
        const other = recalled("shuffleFusion", name, remembered);
        if (String(other) !== String(input))
          throw new RangeError(`shuffleFusion: two images of one shape are required, got [${input}] and [${other}]`);
        return input;
      },
      init: (rng, input) => binaryPair(rng, 1, input[2]!, spans),
      kindOf: binaryKind,
      apply(x, params, mode, remembered = new Map()) {
        const [odd, even] = halves(x);
        const [otherOdd, otherEven] = halves(recalled("shuffleFusion", name, remembered));
        const joined = [tf.concat([even, otherOdd], 3), tf.concat([odd, otherEven], 3)] as const;
        return tf.addN(binaryPasses(joined, params, mode));
      },
    };
  },
);

/** The first, third, … channels, and the second, fourth, …. */
function halves(x: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  const pairs = tf.reshape(x, [n, height, width, channels / 2, 2]);
  return tf.unstack(pairs, 4) as [tf.Tensor, tf.Tensor];
}

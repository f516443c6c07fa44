import { layer, requireCount } from "../../layer.ts";
import {
  binaryKind,
  binaryParams,
  binaryPass,
  requireImage,
  requireSpans,
  type SpansOptions,
} from "../../parts/binary.ts";

/** Options of `binaryConv`. */
export interface BinaryConvOptions extends SpansOptions {
  /** Step between windows, in pixels. Default 1. */
  readonly stride?: number;
}

/**
 * A convolution of signs with signs, whose thresholds and activation are those of the span that the time of the picture lies in.
 *
 * Takes images `[n, height, width, channels]`, gives `[n, height / stride, width / stride, filters]`, filled with zeros at the borders. What comes in gets a number for each
 * channel and becomes its sign (gradient `2 − 2|z|` up to a size of 1); the kernel is the sign of each number times the mean size of its filter (gradient that of the
 * number itself up to a size of 1). Then a number is added for each filter, what is below 0 is scaled by one, and another is added. All of these but the kernel are
 * there once for each of `spans` equal parts of the time from 0 to 1000 which the network is told, as `diffusion` and `sample` do; told nothing it is at time 0. Where the output has the shape
 * of the input, the input as it was is added.
 *
 * Chen et al. 2024, "Binarized diffusion model for image super-resolution", arXiv:2406.05723, section 3.4, and the authors' program, whose `BIConv` it is; the sign's gradient is that of Bi-Real Net,
 * the activation that of ReActNet.
 *
 * @throws RangeError for what is no image.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(16, 3).binaryConv(16, 3).binaryConv(32, 3, { stride: 2, spans: 1 }).features([8, 8, 1]); // [4, 4, 32]
 * ```
 */
export const binaryConv = layer(
  "binaryConv",
  { accepts: ["image"], gives: "image" },
  (filters: number, window: number, { stride = 1, spans = 5 }: BinaryConvOptions = {}) => {
    for (const [name, value] of Object.entries({ filters, window, stride })) requireCount("binaryConv", name, value);
    requireSpans("binaryConv", spans);
    return {
      options: { filters, window, stride, spans },
      shape(input) {
        requireImage("binaryConv", input);
        return [Math.ceil(input[0]! / stride), Math.ceil(input[1]! / stride), filters];
      },
      init: (rng, input) => binaryParams(rng, window, input[2]!, filters, spans),
      kindOf: binaryKind,
      apply: (x, params, mode) => binaryPass(x, params, mode, stride),
    };
  },
);

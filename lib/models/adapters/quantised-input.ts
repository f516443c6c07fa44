import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { straightThrough } from "../parts/gradients.ts";
import { adapter } from "./adapter.ts";

/** The largest whole number of so many bits, with sign. */
export const largestCode = (bits: number): number => 2 ** (bits - 1) - 1;

/**
 * What comes into a layer is rounded to whole numbers of so many bits times a scale, as hardware that multiplies integers sees it; gradients go straight
 * through.
 *
 * A number x of channel j becomes `s · by_j · clamp(round(x / (s · by_j)), −2^(bits−1), 2^(bits−1) − 1)`. With the scale s at 0, as it begins, every row
 * (of images, every example) has its own, its largest size over 2^(bits−1) − 1; rules of `quantise` write scales and `by` from what they saw on examples. Neither is ever trained.
 *
 * Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference", arXiv:1712.05877, section 3, with
 * 0 in the middle.
 *
 * @throws RangeError for fewer than 2 or more than 16 bits.
 *
 * @example
 * ```ts
 * import { mlp, quantisedInput } from "thalweg";
 * mlp().adapt(quantisedInput({ bits: 4, train: "all" }));
 * ```
 */
export const quantisedInput = adapter(
  "quantisedInput",
  {
    /** Bits of what comes in, from 2 to 16. */
    bits: 8,
  },
  { kind: "weight" },
  ({ bits }) => {
    needWhole("quantisedInput", "bits", bits, 2);
    if (bits > 16) throw new RangeError(`quantisedInput: bits must be from 2 to 16, got ${bits}`);
    return {
      fixed: ["scale", "by"],
      init: (_rng, { layer, input }) =>
        layer.kernel === undefined ? {} : { scale: tf.scalar(0), by: tf.ones([input.at(-1)!]) },
      input: ({ scale, by }, x) =>
        straightThrough(x, (given) => roundedInput(given, by as tf.Tensor, scale as tf.Tensor, bits)),
    };
  },
);

/** *Traced.* Numbers rounded by a scale, 0 for one of each row, after each channel was divided by a number. */
export function roundedInput(x: tf.Tensor, by: tf.Tensor, scale: tf.Tensor, bits: number): tf.Tensor {
  const most = largestCode(bits);
  const even = tf.div(x, by);
  const axes = x.rank === 4 ? [1, 2, 3] : [x.rank - 1];
  const own = tf.div(tf.maximum(tf.max(tf.abs(even), axes, true), 1e-8), most);
  const by1 = tf.where(tf.greater(scale, 0), tf.mul(tf.onesLike(own), scale), own);
  return tf.mul(tf.mul(tf.clipByValue(tf.round(tf.div(even, by1)), -most - 1, most), by1), by);
}

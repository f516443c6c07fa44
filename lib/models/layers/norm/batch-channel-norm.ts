import { nn, tf, withoutGradient } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";

/** Options of `batchChannelNorm`. */
export interface BatchChannelNormOptions {
  /** Share of a batch's statistics that goes into the running ones. Default 0.1. */
  readonly momentum?: number;
  /** Added to the variances. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Normalises each channel by running statistics, in training too, then groups of the channels of each image: for batches of one or two images.
 *
 * In training the running mean and variance first take in the batch's, then the batch is normalised by them; no gradient goes through them. Each of the two
 * normalisations has a scale and a shift for each channel. Together with `conv(filters, window, { standardise: true })`.
 *
 * Implements: P364 Weight Standardization + BCN
 * Qiao, Wang, Liu, Shen and Yuille 2019, "Micro-batch training with batch-channel normalization and weight standardization", arXiv:1903.10520, algorithm 1 and sections 3.1
 * and 4; the convolution is `conv`, whose filters have mean 0 and deviation 1 each where it is asked for.
 * Differs from the authors' program: the second scale and shift are of channels, as in the paper, not of groups.
 *
 * @throws RangeError when the groups do not divide the channels.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3, { standardise: true }).batchChannelNorm(4).relu().features([8, 8, 1]); // [8, 8, 8]
 * ```
 */
export const batchChannelNorm = sameLayer(
  "batchChannelNorm",
  (groups: number, { momentum = 0.1, epsilon = 1e-5 }: BatchChannelNormOptions = {}) => {
    requireCount("batchChannelNorm", "groups", groups);
    return {
      options: { groups, momentum, epsilon },
      shape(input) {
        if (input.length !== 3 || input[2]! % groups !== 0)
          throw new RangeError(
            `batchChannelNorm: an image whose channels ${groups} groups divide is required, got shape [${input}]`,
          );
        return input;
      },
      init: (_rng, [, , channels]) => ({
        batch: { scale: tf.ones([channels!]), shift: tf.zeros([channels!]) },
        channel: { scale: tf.ones([channels!]), shift: tf.zeros([channels!]) },
      }),
      statistics: ([, , channels]) => ({ mean: tf.zeros([channels!]), variance: tf.ones([channels!]) }),
      apply(x, params, mode) {
        const { mean, variance } = withoutGradient(() => {
          const [mean, variance] = [mode.read("mean"), mode.read("variance")];
          if (!mode.training) return { mean, variance };
          const blend = (old: tf.Tensor, now: tf.Tensor): tf.Tensor => tf.add(old, tf.mul(tf.sub(now, old), momentum));
          const own = tf.moments(x, [0, 1, 2]);
          return { mean: blend(mean, own.mean), variance: blend(variance, own.variance) };
        });
        if (mode.training) {
          mode.write("mean", mean);
          mode.write("variance", variance);
        }
        const { batch, channel } = params as {
          readonly [name in "batch" | "channel"]: { readonly [part: string]: tf.Tensor };
        };
        const inverse = tf.mul(tf.rsqrt(tf.add(variance, epsilon)), batch.scale!);
        const normal = tf.add(tf.mul(tf.sub(x, mean), inverse), batch.shift!);
        return nn.groupNormalise(normal, groups, channel.scale!, channel.shift!, epsilon);
      },
    };
  },
  ["image"],
);

import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { batchNorm } from "../norm/batch-norm.ts";
import { type ConvOptions, conv } from "./conv.ts";

/** Options of `convBn`. */
export interface ConvBnOptions extends ConvOptions {
  /**
   * "train" normalises by the batch in training; "eval" by the running statistics, which then stay; "tune" does what "eval" does, with the statistics
   * multiplied into the kernel at each pass. Default "train".
   */
  readonly mode?: "train" | "eval" | "tune";
  /** As for `batchNorm`. */
  readonly momentum?: number;
  readonly epsilon?: number;
}

/**
 * A convolution with batch normalisation as one layer, in one of three modes; `expand.convBn` turns pairs of layers into it and into one convolution
 * without normalisation, the fourth mode.
 *
 * Modes "eval" and "tune" give the same and have the same gradients. "tune" holds one map of features where "eval" holds two, and goes over it once:
 * `w′ = w · γ / √(σ² + ε)` and `b′ = β + (b − μ) · γ / √(σ² + ε)` are as large as the kernel. Both are for tuning a trained network.
 *
 * Implements: P397 ConvBN Tune mode
 * You et al. 2023, "Efficient ConvBN blocks for transfer learning and beyond", arXiv:2305.11624, section 3.3, equation 3.
 * Differs from the paper: none known.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().convBn(8, 3, { mode: "tune" }).relu().features([8, 8, 3]); // [8, 8, 8]
 * ```
 */
export const convBn = layer(
  "convBn",
  { accepts: ["image"], gives: "image" },
  (
    filters: number,
    window: number,
    { mode: how = "train", momentum = 0.1, epsilon = 1e-5, bias = false, ...rest }: ConvBnOptions = {},
  ) => {
    needOneOf("convBn", "mode", how, ["train", "eval", "tune"]);
    const [through, norm] = [conv(filters, window, { bias, ...rest }), batchNorm({ momentum, epsilon })];
    const moved = conv(filters, window, { ...rest, bias: true });
    return {
      options: { ...(through.options as object), mode: how, momentum, epsilon },
      shape: through.shape,
      init: (rng, input): Params => ({
        ...through.init!(rng, input),
        ...norm.init!(rng, [filters]),
      }),
      statistics: () => norm.statistics!([filters]),
      apply(x, params, mode) {
        // batches that arrive at test time are normalised by their own statistics, which are not known before
        if (how === "tune" && mode.share === undefined) {
          const { kernel, bias: added, scale, shift } = params as { readonly [name: string]: tf.Tensor };
          const by = tf.mul(scale!, tf.rsqrt(tf.add(mode.read("variance"), epsilon)));
          const centre = added === undefined ? tf.neg(mode.read("mean")) : tf.sub(added, mode.read("mean"));
          return moved.apply(x, { kernel: tf.mul(kernel!, by), bias: tf.add(shift!, tf.mul(centre, by)) }, mode);
        }
        const y = through.apply(x, params, mode);
        return norm.apply(y, params, how === "train" ? mode : { ...mode, training: false });
      },
      counterpart: (x, name, params, statistics) =>
        norm.counterpart!(through.counterpart!(x, name, params, {}), `${name}-norm`, params, statistics),
    };
  },
);

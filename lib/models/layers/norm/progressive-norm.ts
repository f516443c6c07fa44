import { needWhole } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { batchNorm } from "./batch-norm.ts";
import { layerNorm } from "./layer-norm.ts";

/** Options of `progressiveNorm`. */
export interface ProgressiveNormOptions {
  /** Steps of training until layer normalisation is gone. Default 1000. */
  readonly steps?: number;
  /** Steps of layer normalisation alone before that. Default 0. */
  readonly warmup?: number;
}

/**
 * Normalisation that goes over from layer to batch normalisation in the course of training (PRepBN), so that nothing is measured at test time.
 *
 * In training `λ · LN(x) + (1 − λ) · (BN(x) + η x)` with λ from 1 to 0 in equal `steps`, η trained from 1 on; at test time what λ = 0 gives, by running statistics:
 * a product and a sum for each channel, which a kernel after it can take up. The attention of the same paper is `simplifiedAttention`.
 *
 * Implements: P257 SLAB (PRepBN + SLA)
 * Guo et al. 2024, "SLAB: efficient transformers with simplified linear attention and progressive re-parameterized batch normalization", arXiv:2405.11582, equations 4 to 6, and the
 * authors' program.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).progressiveNorm({ steps: 500 }).features([3]); // [16]
 * ```
 */
export const progressiveNorm = sameLayer(
  "progressiveNorm",
  ({ steps = 1000, warmup = 0 }: ProgressiveNormOptions = {}) => {
    needWhole("progressiveNorm", "steps", steps);
    needWhole("progressiveNorm", "warmup", warmup, 0);
    const [layer, batch] = [layerNorm(), batchNorm()];
    return {
      options: { steps, ...(warmup !== 0 && { warmup }) },
      byPlace: true,
      shape: (input) => input,
      init: (rng, input): Params => ({
        layer: layer.init!(rng, input),
        batch: batch.init!(rng, input),
        passing: tf.scalar(1),
      }),
      statistics: (input): Params => ({ batch: batch.statistics!(input), step: tf.scalar(0) }),
      apply(x, params, mode) {
        const later = tf.add(
          batch.apply(x, params.batch as Params, mode.at("batch")),
          tf.mul(x, params.passing as tf.Tensor),
        );
        if (!mode.training) return later;
        const step = mode.read("step");
        mode.write("step", tf.add(step, 1));
        const share = tf.sub(1, tf.minimum(1, tf.maximum(0, tf.div(tf.sub(step, warmup), steps))));
        const early = layer.apply(x, params.layer as Params, mode.at("layer"));
        return tf.add(tf.mul(share, early), tf.mul(tf.sub(1, share), later));
      },
    };
  },
);

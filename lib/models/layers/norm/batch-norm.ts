import { needWhole } from "../../../data/options.ts";
import { nn, tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";
import type { Mode } from "../../model.ts";

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** Share of a batch's statistics that goes into the running ones. Default 0.1. */
  readonly momentum?: number;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Examples that are normalised together in training: ghost batches, the last of which may be smaller. Default 0: all of a batch. */
  readonly ghost?: number;
}

/**
 * Normalises each channel by the batch's mean and variance in training, by running ones at test time (Ioffe and Szegedy 2015).
 *
 * The running variance is the unbiased one, as PyTorch keeps it. With `ghost` a large batch has the noise of small ones: each ghost batch is
 * normalised by itself, and the running statistics go through them one after the other.
 *
 * Implements: P340 Train longer / Ghost BatchNorm
 * Hoffer, Hubara and Soudry 2017, "Train longer, generalize better", arXiv:1705.08741, algorithm 1 and section 5: `ghost`; the rate that goes as the root of
 * the batch is `rateByBatch`, as many updates as a small batch has are `train({ steps })`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).batchNorm().relu();
 * ```
 */
export const batchNorm = sameLayer(
  "batchNorm",
  ({ momentum = 0.1, epsilon = 1e-5, ghost = 0 }: BatchNormOptions = {}) => ({
    options: { momentum, epsilon, ...(needWhole("batchNorm", "ghost", ghost, 0) > 0 && { ghost }) },
    byPlace: true,
    shape: (input) => input,
    init: (_rng, input) => ({ scale: tf.ones([input.at(-1)!]), shift: tf.zeros([input.at(-1)!]) }),
    statistics: (input) => ({ mean: tf.zeros([input.at(-1)!]), variance: tf.ones([input.at(-1)!]) }),
    apply(x, params, mode) {
      const [scale, shift] = [params.scale as tf.Tensor, params.shift as tf.Tensor];
      if (!mode.training && mode.share !== undefined) return mixed(x, scale, shift, epsilon, mode.share, mode);
      if (!mode.training) {
        const inverse = tf.mul(tf.rsqrt(tf.add(mode.read("variance"), epsilon)), scale);
        return tf.add(tf.mul(tf.sub(x, mode.read("mean")), inverse), shift);
      }
      const rows = x.shape[0]!;
      const parts = ghost > 0 && ghost < rows ? tf.split(x, groups(rows, ghost)) : [x];
      let [running, spread] = [mode.read("mean"), mode.read("variance")];
      const blend = (old: tf.Tensor, now: tf.Tensor): tf.Tensor =>
        tf.add(tf.mul(old, 1 - momentum), tf.mul(now, momentum));
      const out = parts.map((part) => {
        const { y, mean, variance } = nn.batchNormalise(part, scale, shift, epsilon);
        const count = part.size / part.shape.at(-1)!;
        running = blend(running, mean);
        spread = blend(spread, tf.mul(variance, count / Math.max(1, count - 1)));
        return y;
      });
      mode.write("mean", running);
      mode.write("variance", spread);
      return out.length === 1 ? out[0]! : tf.concat(out, 0);
    },
    counterpart: (x, name, { scale, shift }, { mean, variance }) =>
      put(tfLayers.layers.batchNormalization({ name, momentum: 1 - momentum, epsilon }), x, [
        scale,
        shift,
        mean,
        variance,
      ]),
  }),
);

/** Sizes of ghost batches. */
function groups(rows: number, size: number): number[] {
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => Math.min(size, rows - i * size));
}

/** Normalises by a mean of the running statistics and the batch's own, the biased variance, and writes it. */
function mixed(
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  epsilon: number,
  share: number,
  mode: Mode,
): tf.Tensor {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const own = tf.mean(x, axes);
  const spread = tf.mean(tf.square(tf.sub(x, own)), axes);
  const blend = (name: string, now: tf.Tensor): tf.Tensor =>
    share === 1 ? now : tf.add(tf.mul(mode.read(name), 1 - share), tf.mul(now, share));
  const [mean, variance] = [blend("mean", own), blend("variance", spread)];
  mode.write("mean", mean);
  mode.write("variance", variance);
  return tf.add(tf.mul(tf.sub(x, mean), tf.mul(tf.rsqrt(tf.add(variance, epsilon)), scale)), shift);
}

import { needOneOf } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import type { Within } from "../../models/model.ts";
import { kernelsIn, withKernels } from "../parts/kernels.ts";
import { boundOf, straightThrough } from "../parts/quantile.ts";
import { requireWhole, strategy } from "../strategy.ts";

/**
 * BitNet b1.58: the network runs with kernels of −1, 0 and 1 times a scale of their own, whose gradient goes straight through to the kernels as they
 * are.
 *
 * `w` becomes `s · clamp(round(w / s), −1, 1)` with s the median, or the mean, of the sizes of its kernel. With `activations` what comes into each dense layer
 * and convolution, also within blocks, is normalised, without gain, and rounded to so many bits of its largest number. The network that is learnt predicts in
 * this way; `quantise.ternary` makes it one with two bits.
 *
 * Implements: P369 BitNet b1.58 Reloaded
 *
 * Nielsen and Schneider-Kamp 2024, "BitNet b1.58 Reloaded", arXiv:2407.09527, section 3, and the authors' program; the mean is that of Ma et al. 2024,
 * arXiv:2402.17764. Differs from the paper: activations are as they are unless asked for, and the head is never rounded.
 *
 * @example
 * ```ts
 * import { ternary } from "thalweg";
 * ternary({ scale: "mean", activations: 8 });
 * ```
 */
export const ternary = strategy(
  "ternary",
  {
    /** What a kernel is divided by: the "median" or the "mean" of its sizes. */
    scale: "median" as string,
    /** Bits of what comes into a layer, 0 for as it is. */
    activations: 0,
  },
  ({ scale, activations }) => {
    needOneOf("ternary", "scale", scale, ["median", "mean"]);
    requireWhole("ternary", "activations", activations, 0);
    return {
      tokens: true,
      rowwise: true,
      forward(_state: object, { plain, weights, network }) {
        const kernels = kernelsIn(network, weights, "*");
        const own = Object.entries(kernels).map(([path, w]) => [
          path,
          straightThrough(w, (now) => inThree(now, scale)),
        ]);
        const into: Within["into"] = (path, x) =>
          `${path.slice(1).join("/")}/kernel` in kernels ? roundedTo(x, activations) : x;
        return plain({
          weights: withKernels(weights, Object.fromEntries(own)),
          ...(activations > 0 && { into }),
        });
      },
    };
  },
);

/** *Traced.* A kernel as −1, 0 and 1 times its scale. */
export function inThree(w: tf.Tensor, scale: string): tf.Tensor {
  const size = tf.abs(w);
  const middle = scale === "mean" ? tf.mean(size) : boundOf(size, tf.scalar(Math.floor(size.size / 2)));
  const by = tf.maximum(middle, 1e-5);
  return tf.mul(tf.clipByValue(tf.round(tf.div(w, by)), -1, 1), by);
}

/** *Traced.* Rows, or whole images, normalised and rounded to so many bits of their largest number, straight through. */
export function roundedTo(x: tf.Tensor, bits: number): tf.Tensor {
  const axes = x.rank === 4 ? [1, 2, 3] : [x.rank - 1];
  const { mean, variance } = tf.moments(x, axes, true);
  const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
  return straightThrough(normal, (now) => {
    const by = tf.div(2 ** (bits - 1), tf.maximum(tf.max(tf.abs(now), axes, true), 1e-5));
    return tf.div(tf.clipByValue(tf.round(tf.mul(now, by)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1), by);
  });
}

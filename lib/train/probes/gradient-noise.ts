/** How noisy the gradients of batches are. */
import { dot, type Loss, near } from "./parts/hessian.ts";

/** What batches say of the gradient. */
export interface GradientNoise {
  /** The squared length of the gradient of all, without bias. It may come out below 0 where there is hardly a gradient. */
  readonly signal: number;
  /** The trace of the covariance of the gradients of single examples, without bias. */
  readonly noise: number;
  /** Their ratio: the batch size above which more examples hardly help. */
  readonly scale: number;
}

/**
 * The simple noise scale `tr Σ / ‖G‖²` of a loss, from the gradients of batches of `rows` examples each: at a batch of that size, noise and
 * signal are alike.
 *
 * With k batches of B rows the mean squared length of their gradients is `‖G‖² + tr Σ / B`, and the squared length of their mean
 * `‖G‖² + tr Σ / kB`. McCandlish et al. 2018, "An empirical model of large-batch training", arXiv:1812.06162, appendix A.1.
 *
 * `losses` are the mean losses of the batches.
 *
 * @throws RangeError for fewer than two batches.
 *
 * @example
 * ```ts
 * import { gradientNoise, tf } from "thalweg";
 * // gradients 3 and 1 of one row each: signal 2² − 1 = 3, noise 2
 * const losses = [3, 1].map((slope) => (w: tf.Tensor) => tf.mul(tf.sum(w), slope));
 * gradientNoise(losses, tf.tensor1d([0]), { rows: 1 }); // { signal: 3, noise: 2, scale: 2 / 3 }
 * ```
 */
export function gradientNoise<P>(
  losses: readonly Loss<P>[],
  params: P,
  { rows }: { readonly rows: number },
): GradientNoise {
  if (losses.length < 2) throw new RangeError(`gradientNoise: at least two batches are required, got ${losses.length}`);
  if (!(rows >= 1)) throw new RangeError(`gradientNoise: rows must be at least 1, got ${rows}`);
  const slopes = losses.map((loss) => {
    const around = near(loss, params);
    const slope = around.gradient();
    around.dispose();
    return slope;
  });
  const count = slopes.length;
  const small = slopes.reduce((sum, g) => sum + dot(g, g), 0) / count;
  const mean = slopes[0]!.map((_, i) => slopes.reduce((sum, g) => sum + g[i]!, 0) / count);
  const large = dot(mean, mean);
  const signal = (count * large - small) / (count - 1);
  const noise = (small - large) / (1 / rows - 1 / (rows * count));
  return { signal, noise, scale: noise / signal };
}

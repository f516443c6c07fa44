/** How much a loss rises nearby. */
import { withDefaults } from "../../data/options.ts";
import { dot, type Loss, near } from "./parts/hessian.ts";

/**
 * How much a loss rises at the worst point within a radius, to first order: `L(w + radius · g / ‖g‖) − L(w)`. What sharpness-aware
 * minimisation (`sam`) makes small. Where the gradient is 0 it is 0.
 *
 * Foret et al. 2021, arXiv:2010.01412, equation 2. `topEigenvalues` says how steep the steepest direction is, whatever the gradient.
 *
 * @example
 * ```ts
 * import { sharpness, tf } from "thalweg";
 * sharpness((w: tf.Tensor) => tf.mul(tf.sum(tf.square(w)), 0.5), tf.tensor1d([3, 4]), { radius: 1 }); // 5.5: ½ · 6² − ½ · 5²
 * ```
 */
export function sharpness<P>(loss: Loss<P>, params: P, options: { readonly radius?: number } = {}): number {
  const { radius } = withDefaults("sharpness", options, { radius: 0.05 } as { readonly radius: number });
  if (!(radius > 0)) throw new RangeError(`sharpness: a radius above 0 is required, got ${radius}`);
  const around = near(loss, params);
  const slope = around.gradient();
  const length = Math.sqrt(dot(slope, slope));
  const rise =
    length === 0
      ? 0
      : around.at(slope.map((value) => (value * radius) / length)) - around.at(new Float64Array(around.size));
  around.dispose();
  return rise;
}

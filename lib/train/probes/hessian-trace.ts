/** The trace of the Hessian of a loss. */
import { needWhole, withDefaults } from "../../data/options.ts";
import { type Rng, random } from "../../engine/index.ts";
import { dot, type Loss, near } from "./parts/hessian.ts";

/** How a trace is estimated. */
export interface HessianTraceOptions {
  /** Random vectors. Default 16. */
  readonly samples?: number;
  readonly rng?: Rng;
}

/**
 * The trace of the Hessian of a loss at some parameters, the sum of all its curvatures, by Hutchinson's estimate: the mean of `u · H u` over random
 * vectors of signs, with its standard error.
 *
 * Exact where the Hessian is diagonal. Hutchinson 1990.
 *
 * @example
 * ```ts
 * import { hessianTrace, tf } from "thalweg";
 * const loss = (w: tf.Tensor) => tf.sum(tf.mul(tf.square(w), [0.5, 2, 1]));
 * hessianTrace(loss, tf.tensor1d([3, 1, 2])).trace; // 7
 * ```
 */
export function hessianTrace<P>(
  loss: Loss<P>,
  params: P,
  options: HessianTraceOptions = {},
): { readonly trace: number; readonly error: number } {
  const { samples, rng } = withDefaults("hessianTrace", options, {
    samples: 16,
    rng: random(0).at("trace"),
  } as Required<HessianTraceOptions>);
  needWhole("hessianTrace", "samples", samples);
  const around = near(loss, params);
  const found = Array.from({ length: samples }, () => {
    const signs = Float64Array.from({ length: around.size }, () => (rng.uniform() < 0.5 ? -1 : 1));
    return dot(signs, around.times(signs));
  });
  around.dispose();
  const trace = found.reduce((sum, value) => sum + value, 0) / samples;
  const spread = found.reduce((sum, value) => sum + (value - trace) ** 2, 0) / Math.max(1, samples - 1);
  return { trace, error: Math.sqrt(spread / samples) };
}

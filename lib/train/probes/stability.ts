/** Whether steps of a size can stay at a minimum. */
import { type HessianTraceOptions, hessianTrace } from "./hessian-trace.ts";
import type { Loss } from "./parts/hessian.ts";
import { topEigenvalues } from "./top-eigenvalues.ts";

/** What holds steps at a minimum, and whether these curvatures let them stay. */
export interface Stability {
  /** 2 over the rate. */
  readonly bound: number;
  /** The largest curvature, and the sum of all. */
  readonly top: number;
  readonly trace: number;
  /** Whether descent over all examples stays: the largest curvature is within the bound. */
  readonly descent: boolean;
  /** Whether descent over one example at a time stays: the sum of the curvatures is within the bound. */
  readonly stochastic: boolean;
}

/**
 * The curvatures of a loss at a minimum against 2 over a learning rate: full descent stays where the largest is below it, descent over single
 * examples only where their sum is, so that its minima are flat in all directions together.
 *
 * The sum is estimated by random vectors, exact where the Hessian is diagonal.
 *
 * Implements: P408 Dynamical Stability of SGD
 * Wu and Su 2023, "The implicit regularization of dynamical stability in stochastic gradient descent", arXiv:2305.17490, sections 2 and 3: for a squared loss
 * of examples whose gradients are as large as their errors the sum of the curvatures is bounded by 2 / lr.
 * Differs from the paper: batches of one example alone; it says no more of other losses than that they curve so.
 *
 * @example
 * ```ts
 * import { stability, tf } from "thalweg";
 * const loss = (w: tf.Tensor) => tf.sum(tf.mul(tf.square(w), [0.5, 2, 1])); // curvatures 1, 4 and 2
 * const { descent, stochastic } = stability(loss, tf.tensor1d([3, 1, 2]), { lr: 0.4 });
 * [descent, stochastic]; // [true, false]: 4 < 5 < 7
 * ```
 */
export function stability<P>(
  loss: Loss<P>,
  params: P,
  { lr, ...options }: HessianTraceOptions & { readonly lr: number },
): Stability {
  if (!(lr > 0)) throw new RangeError(`stability: an lr above 0 is required, got ${lr}`);
  const bound = 2 / lr;
  const top = topEigenvalues(loss, params)[0]!;
  const { trace } = hessianTrace(loss, params, options);
  return { bound, top, trace, descent: top <= bound, stochastic: trace <= bound };
}

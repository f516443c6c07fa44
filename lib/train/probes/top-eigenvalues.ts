/** The largest eigenvalues of the Hessian of a loss. */

import { needWhole, withDefaults } from "../../data/options.ts";
import { type Rng, random } from "../../engine/index.ts";
import { symmetricEigen } from "../../engine/linear-algebra.ts";
import { dot, type Loss, near } from "./parts/hessian.ts";

/** How eigenvalues are found. */
export interface TopEigenvaluesOptions {
  /** How many, the largest first. Default 1. */
  readonly count?: number;
  /** Products with the Hessian. Default 20 more than twice the count. */
  readonly rounds?: number;
  /** Where the first direction comes from. */
  readonly rng?: Rng;
}

/**
 * The largest eigenvalues of the Hessian of a loss at some parameters, by Lanczos' method: how steep the walls of the valley are. Gradient
 * descent is stable where the largest is below 2 over its rate.
 *
 * Directions are kept orthogonal to all before them. The values come from below and are exact when there are as many rounds as parameters.
 * Lanczos 1950; Ghorbani, Krishnan and Xiao 2019, arXiv:1901.10159, appendix A.
 *
 * @example
 * ```ts
 * import { tf, topEigenvalues } from "thalweg";
 * const loss = (w: tf.Tensor) => tf.sum(tf.mul(tf.square(w), [0.5, 2, 1])); // curvatures 1, 4 and 2
 * topEigenvalues(loss, tf.tensor1d([3, 1, 2]), { count: 2 }); // [4, 2]
 * ```
 */
export function topEigenvalues<P>(loss: Loss<P>, params: P, options: TopEigenvaluesOptions = {}): number[] {
  const { count, rounds, rng } = withDefaults("topEigenvalues", options, {
    count: 1,
    rounds: 0,
    rng: random(0).at("eigenvalues"),
  } as Required<TopEigenvaluesOptions>);
  needWhole("topEigenvalues", "count", count);
  needWhole("topEigenvalues", "rounds", rounds, 0);
  const around = near(loss, params);
  const most = Math.min(around.size, Math.max(count, rounds === 0 ? 2 * count + 20 : rounds));
  let next = Float64Array.from({ length: around.size }, () => rng.normal());
  const basis: Float64Array[] = [];
  const [on, beside]: [number[], number[]] = [[], []];
  for (let round = 0; round < most; round++) {
    const length = Math.sqrt(dot(next, next));
    // nothing is left outside of the directions so far
    if (length < 1e-9 * Math.max(1, ...on.map(Math.abs))) break;
    if (round > 0) beside.push(length);
    const own = next.map((value) => value / length);
    const product = around.times(own);
    on.push(dot(own, product));
    basis.push(own);
    for (let time = 0; time < 2; time++)
      for (const before of basis) {
        const share = dot(before, product);
        for (let i = 0; i < product.length; i++) product[i]! -= share * before[i]!;
      }
    next = product as Float64Array<ArrayBuffer>;
  }
  around.dispose();
  const n = on.length;
  const small = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    small[i * n + i] = on[i]!;
    if (i + 1 < n) small[i * n + i + 1] = small[(i + 1) * n + i] = beside[i]!;
  }
  return [...symmetricEigen(small, n).values].sort((a, b) => b - a).slice(0, count);
}

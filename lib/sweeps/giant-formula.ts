/** How large the images, the depth and the width of a network are made together for what it may cost. */
import { type Multipliers, needCost } from "./tiny-formula.ts";

/**
 * Compound scaling: resolution, depth and width are powers of 1.15, 1.2 and 1.1 with one exponent, so that a network of twice the cost has its exponent higher by
 * nearly 1; below a cost of 1 the exponent is negative. `cost` is a share of the network's that one begins with.
 *
 * Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", arXiv:1905.11946, section 3.3.
 * Differs from the paper: the exponent is the one at which `depth · width² · resolution²` is the cost exactly.
 *
 * @throws RangeError for a cost that is not above 0.
 *
 * @example
 * ```ts
 * import { giantFormula } from "thalweg";
 * const { resolution, depth, width } = giantFormula(0.25);
 * Number((depth * width ** 2 * resolution ** 2).toFixed(6)); // 0.25
 * ```
 */
export function giantFormula(cost: number): Multipliers {
  needCost("giantFormula", cost);
  const [depth, width, resolution] = [1.2, 1.1, 1.15];
  const exponent = Math.log(cost) / Math.log(depth * width ** 2 * resolution ** 2);
  return { resolution: resolution ** exponent, depth: depth ** exponent, width: width ** exponent };
}

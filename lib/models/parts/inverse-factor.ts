/** What second-order rules of pruning and quantising divide by. */
import { cholesky, inverseSymmetric, transposed } from "../../engine/linear-algebra.ts";
import { gramOf, type Matrix } from "./kernel-layers.ts";

/**
 * The upper triangle U of the inverse of the damped Gram matrix of what comes in, `UᵀU = (XᵀX + damp · mean diagonal)⁻¹`, and the inputs that are
 * always 0, whose diagonal is 1.
 *
 * The rows of U hold the steps of optimal brain surgery on one input after the other: an error at input i goes to those behind it by
 * `U[i, i:] / U[i, i]`.
 */
export function inverseFactor(
  rows: Matrix,
  inputs: number,
  damp: number,
): { readonly upper: Matrix; readonly dead: Uint8Array } {
  const gram = gramOf(rows, inputs);
  const dead = new Uint8Array(inputs);
  let trace = 0;
  for (let i = 0; i < inputs; i++) {
    const at = i * inputs + i;
    if (gram[at] === 0) [dead[i], gram[at]] = [1, 1];
    trace += gram[at]!;
  }
  for (let i = 0; i < inputs; i++) gram[i * inputs + i]! += (damp * trace) / inputs;
  const upper = transposed(cholesky(inverseSymmetric(gram, inputs), inputs), inputs, inputs);
  return { upper, dead };
}

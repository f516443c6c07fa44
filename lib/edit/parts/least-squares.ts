/** Changes of a kernel by least squares. */
import { product, solveSymmetric, symmetricEigen, transposed } from "../../engine/linear-algebra.ts";
import type { Matrix } from "./facts.ts";

/**
 * The change Δ that minimises `‖K Δ − R‖² + Δᵀ H Δ`: `(KᵀK + H)⁻¹ Kᵀ R` with keys `[n, inputs]`, wanted changes `[n, units]` and a
 * symmetric H.
 */
export function leastSquares(keys: Matrix, wanted: Matrix, hold: Matrix, inputs: number, units: number): Matrix {
  const n = keys.length / inputs;
  const turned = transposed(keys, n, inputs);
  const left = product(turned, keys, inputs, n, inputs).map((x, i) => x + hold[i]!);
  return solveSymmetric(left, product(turned, wanted, inputs, n, units), inputs, units) as Matrix;
}

/** A symmetric matrix with a number added to its diagonal. */
export function withDiagonal(matrix: Matrix, size: number, added: number): Matrix {
  const out = matrix.slice();
  for (let i = 0; i < size; i++) out[i * size + i]! += added;
  return out;
}

/** A mean of outer products, with a share of its mean diagonal added to the diagonal. */
export function withRidge(sum: Matrix, size: number, count: number, ridge: number): Matrix {
  const mean = sum.map((x) => x / count);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += mean[i * size + i]!;
  const added = ridge * (trace > 0 ? trace / size : 1);
  for (let i = 0; i < size; i++) mean[i * size + i]! += added;
  return mean;
}

/** Orthonormal directions, one a row, in which a sum of outer products is below a share of its largest eigenvalue. */
export function nullSpace(sum: Matrix, size: number, threshold: number): Matrix {
  const { values, vectors } = symmetricEigen(sum, size);
  const first = values.findIndex((value) => value < threshold * values[0]!);
  return (first < 0 ? new Float64Array(0) : Float64Array.from(vectors.subarray(first * size))) as Matrix;
}

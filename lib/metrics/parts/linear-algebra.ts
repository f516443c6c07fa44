/** Small dense linear algebra on the host, for measurements: rows and columns in the hundreds. */
import type { Matrix } from "../../train/probes/parts/matrix.ts";

export {
  innerProducts,
  type Matrix,
  requireMatrix,
  singularValues,
  symmetricEigenvalues,
} from "../../train/probes/parts/matrix.ts";

/** A matrix of rows. */
export function matrixOf(rows: readonly ArrayLike<number>[]): Matrix {
  const columns = rows[0]?.length ?? 0;
  const data = new Float64Array(rows.length * columns);
  for (const [index, row] of rows.entries()) data.set(Array.from(row), index * columns);
  return { data, rows: rows.length, columns };
}

/** The matrix with the mean of each column taken away. */
export function centred({ data, rows, columns }: Matrix): Matrix {
  const means = new Float64Array(columns);
  for (let index = 0; index < data.length; index++) means[index % columns]! += data[index]! / rows;
  return { data: Float64Array.from(data, (value, index) => value - means[index % columns]!), rows, columns };
}

/** `AᵀB` of two matrices with as many rows. */
export function crossProduct(a: Matrix, b: Matrix): Matrix {
  const right = Float64Array.from(b.data);
  const out = new Float64Array(a.columns * b.columns);
  for (let row = 0; row < a.rows; row++) {
    for (let i = 0; i < a.columns; i++) {
      const value = a.data[row * a.columns + i]!;
      if (value === 0) continue;
      for (let j = 0; j < b.columns; j++) out[i * b.columns + j]! += value * right[row * b.columns + j]!;
    }
  }
  return { data: out, rows: a.columns, columns: b.columns };
}

/** Solves `A X = B` for a symmetric positive definite `A`, by Cholesky's factors. */
export function solvePositive(a: Matrix, b: Matrix): Matrix {
  const n = a.rows;
  const factor = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let total = a.data[i * n + j]!;
      for (let k = 0; k < j; k++) total -= factor[i * n + k]! * factor[j * n + k]!;
      if (i === j && total <= 0)
        throw new RangeError("solvePositive: a positive definite matrix is required; add to its diagonal");
      factor[i * n + j] = i === j ? Math.sqrt(total) : total / factor[j * n + j]!;
    }
  }
  const out = Float64Array.from(b.data);
  const width = b.columns;
  for (let column = 0; column < width; column++) {
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) out[i * width + column]! -= factor[i * n + k]! * out[k * width + column]!;
      out[i * width + column]! /= factor[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) out[i * width + column]! -= factor[k * n + i]! * out[k * width + column]!;
      out[i * width + column]! /= factor[i * n + i]!;
    }
  }
  return { data: out, rows: n, columns: width };
}

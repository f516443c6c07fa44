/** The directions in which features vary most. */
import { centred, crossProduct, innerProducts, type Matrix } from "../../metrics/parts/linear-algebra.ts";

/**
 * The coordinates of each row on the first principal components, and the share of the variance each holds.
 *
 * By orthogonal iteration on the smaller of covariance and Gram matrix; signs are settled by making the largest loading positive.
 */
export function principalComponents(features: Matrix, count: 2): { points: [number, number][]; shares: number[] } {
  const x = centred(features);
  const wide = x.columns > x.rows;
  const gram = wide ? innerProducts(x) : crossProduct(x, x);
  const n = gram.rows;
  let total = 0;
  for (let index = 0; index < n; index++) total += gram.data[index * n + index]!;
  const vectors: Float64Array[] = Array.from({ length: count }, (_, k) =>
    Float64Array.from({ length: n }, (_, i) => Math.cos((k + 1) * (i + 0.5))),
  );
  orthonormalise(vectors);
  let values = vectors.map(() => 0);
  for (let round = 0; round < 1000; round++) {
    const before = vectors.map((vector) => vector.slice());
    for (const [k, vector] of vectors.entries()) vectors[k] = times(gram, vector);
    values = orthonormalise(vectors);
    if (vectors.every((vector, k) => 1 - Math.abs(dot(vector, before[k]!)) < 1e-15)) break;
  }
  const coordinates = vectors.map((vector, k) => {
    const scores = wide ? vector.map((value) => value * Math.sqrt(values[k]!)) : project(x, vector);
    const largest = scores.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    return largest < 0 ? scores.map((value) => -value) : scores;
  });
  return {
    points: Array.from({ length: x.rows }, (_, row): [number, number] => [
      coordinates[0]![row]!,
      coordinates[1]?.[row] ?? 0,
    ]),
    shares: values.map((value) => (total === 0 ? 0 : value / total)),
  };
}

/** Makes vectors orthogonal and of unit length in place; gives their lengths before. */
function orthonormalise(vectors: Float64Array[]): number[] {
  return vectors.map((vector, k) => {
    for (let other = 0; other < k; other++) {
      const shared = dot(vector, vectors[other]!);
      for (let i = 0; i < vector.length; i++) vector[i]! -= shared * vectors[other]![i]!;
    }
    const length = Math.sqrt(dot(vector, vector));
    if (length > 0) for (let i = 0; i < vector.length; i++) vector[i]! /= length;
    return length;
  });
}

function times({ data, rows: n }: Matrix, vector: Float64Array): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += data[i * n + j]! * vector[j]!;
    return sum;
  });
}

function project({ data, rows, columns }: Matrix, vector: Float64Array): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += data[row * columns + column]! * vector[column]!;
    return sum;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

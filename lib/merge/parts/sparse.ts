/** Vectors with most of their numbers set to 0, and what becomes of their signs. */
import type { Vector } from "./vectors.ts";

/** The k-th smallest of some numbers, from 0. */
export function ranked(values: ArrayLike<number>, k: number): number {
  return Float64Array.from(values).sort()[k]!;
}

/** The numbers of a vector that are largest in size, so that a share of them is left: those as large as the last that stays, stay. */
export function largest(vector: Vector, density: number): Vector {
  const out = vector.length - Math.floor(vector.length * density);
  if (out <= 0) return vector;
  const least = ranked(vector.map(Math.abs), Math.min(out, vector.length) - 1);
  return vector.map((x) => (Math.abs(x) >= least ? x : 0));
}

/** For each number the sign that most of the mass has; where it is even, the sign that most numbers have. */
export function electedSigns(vectors: readonly Vector[]): Vector {
  const signs = vectors[0]!.map((_, i) => Math.sign(vectors.reduce((sum, vector) => sum + vector[i]!, 0)));
  const most = Math.sign(signs.reduce((a, b) => a + b, 0));
  return signs.map((sign) => (sign === 0 ? most : sign));
}

/** The mean of those numbers that have the elected sign. */
export function meanOfSigns(vectors: readonly Vector[], signs: Vector): Vector {
  return signs.map((sign, i) => {
    const agreeing = vectors.map((vector) => vector[i]!).filter((x) => (sign > 0 ? x > 0 : x < 0));
    return agreeing.reduce((a, b) => a + b, 0) / Math.max(1, agreeing.length);
  });
}

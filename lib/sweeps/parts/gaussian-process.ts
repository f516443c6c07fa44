/** A function of one number through values at some places, by a Gaussian process. */
import { solveSymmetric } from "../../engine/linear-algebra.ts";

/** What is expected somewhere, and how far it may be from that. */
export interface Expected {
  readonly mean: number;
  readonly variance: number;
}

/**
 * A Gaussian process of mean 0 and variance 1 whose covariance is `exp(−(u − v)² / 2 length²)`, seen at `places` with noise of variance `noise`.
 *
 * Rasmussen and Williams 2006, equations 2.25 and 2.26.
 */
export function gaussianProcess(
  places: readonly number[],
  values: readonly number[],
  { length, noise }: { readonly length: number; readonly noise: number },
): (at: number) => Expected {
  const n = places.length;
  const alike = (u: number, v: number): number => Math.exp(-((u - v) ** 2) / (2 * length ** 2));
  const gram = Float64Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return alike(places[row]!, places[column]!) + (row === column ? noise : 0);
  });
  const weights = solveSymmetric(gram, Float64Array.from(values), n, 1);
  return (at) => {
    const near = Float64Array.from(places, (place) => alike(at, place));
    const solved = solveSymmetric(gram, near, n, 1);
    const mean = near.reduce((sum, value, i) => sum + value * weights[i]!, 0);
    return { mean, variance: Math.max(0, 1 - near.reduce((sum, value, i) => sum + value * solved[i]!, 0)) };
  };
}

/** Statistics over seeds: intervals, paired tests, ranks. */
import { studentQuantile } from "./parts/distributions.ts";

/** A mean with the interval that covers it. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** How many values it was made of. */
  readonly n: number;
}

/**
 * The mean of some values with Student's interval: `mean ± t(n−1) · s/√n`.
 *
 * With a single value the interval is unknown and its ends are NaN. `level` is the coverage, .95 by default.
 *
 * @example
 * ```ts
 * import { tInterval } from "thalweg";
 * const { mean, low, high } = tInterval([0.80, 0.82, 0.84]);
 * mean; // 0.82
 * low; // 0.82 − 4.3027 · 0.02/√3 = 0.7703
 * high; // 0.8697
 * ```
 */
export function tInterval(values: readonly number[], { level = 0.95 }: { level?: number } = {}): Interval {
  const n = values.length;
  const mean = meanOf(values);
  if (n < 2) return { mean, low: Number.NaN, high: Number.NaN, n };
  const half = (studentQuantile((1 + level) / 2, n - 1) * deviation(values)) / Math.sqrt(n);
  return { mean, low: mean - half, high: mean + half, n };
}

/** The mean; NaN of nothing. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The sample standard deviation, with `n − 1` in the denominator. */
export function deviation(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

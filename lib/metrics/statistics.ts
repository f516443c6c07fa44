/** Statistics over seeds: intervals, paired tests, ranks. */
import { random } from "../engine/random.ts";
import { studentQuantile, studentShare } from "./parts/distributions.ts";
import { deviation, mean as meanOf } from "./parts/summaries.ts";

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
  const half = (quantile(level, n - 1) * deviation(values)) / Math.sqrt(n);
  return { mean, low: mean - half, high: mean + half, n };
}

/** Curves ask for the same quantile at every point. */
const quantiles = new Map<string, number>();

function quantile(level: number, degrees: number): number {
  const key = `${level} ${degrees}`;
  const found = quantiles.get(key) ?? studentQuantile((1 + level) / 2, degrees);
  quantiles.set(key, found);
  return found;
}

/**
 * The mean of some values with a bootstrap interval: percentiles of the means of resamples.
 *
 * Makes no assumption of a normal distribution, but is too narrow for few values: prefer `tInterval` below ten or so. `level` is
 * the coverage (.95), `resamples` how many are drawn (10,000), `seed` makes them the same each time (0).
 * Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13.
 *
 * @example
 * ```ts
 * import { bootstrapInterval } from "thalweg";
 * const { mean, low, high } = bootstrapInterval([0, 1], { resamples: 1000 });
 * mean; // 0.5; means of resamples are 0, 0.5 or 1, so the interval is
 * low; // 0
 * high; // 1
 * ```
 */
export function bootstrapInterval(
  values: readonly number[],
  { level = 0.95, resamples = 10_000, seed = 0 }: { level?: number; resamples?: number; seed?: number } = {},
): Interval {
  const n = values.length;
  const mean = meanOf(values);
  if (n < 2) return { mean, low: Number.NaN, high: Number.NaN, n };
  const rng = random(seed).at("bootstrap");
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < n; drawn++) sum += values[Math.floor(rng.uniform() * n)]!;
    return sum / n;
  }).sort();
  const at = (share: number): number =>
    means[Math.min(resamples - 1, Math.max(0, Math.round(share * (resamples - 1))))]!;
  return { mean, low: at((1 - level) / 2), high: at((1 + level) / 2), n };
}

/** The outcome of a test of whether two methods differ. */
export interface PairedTest extends Interval {
  /** The probability of a difference at least as large if the methods were alike; two-sided. NaN when it cannot be told. */
  readonly p: number;
  /** The name of the test. */
  readonly test: string;
}

/**
 * Student's paired test: the mean difference `a − b` over seeds, its 95% t-interval and its p-value.
 *
 * Runs are paired by seed: `a[i]` and `b[i]` must come from the same one. With fewer than two pairs nothing can be told.
 *
 * @example
 * ```ts
 * import { pairedTTest } from "thalweg";
 * const { mean, p } = pairedTTest([0.82, 0.85, 0.84], [0.80, 0.81, 0.83]);
 * mean; // 0.0233
 * p; // t = 2.6458 with 2 degrees of freedom: 0.118
 * ```
 */
export function pairedTTest(a: readonly number[], b: readonly number[]): PairedTest {
  const differences = paired("pairedTTest", a, b);
  const interval = tInterval(differences);
  const spread = deviation(differences) / Math.sqrt(differences.length);
  const t = interval.mean / spread;
  const p =
    differences.length < 2
      ? Number.NaN
      : spread === 0
        ? interval.mean === 0
          ? 1
          : 0
        : 2 * studentShare(-Math.abs(t), differences.length - 1);
  return { ...interval, p, test: "Student's paired t-test" };
}

/**
 * The paired permutation test: how often random signs of the differences give a mean at least as large.
 *
 * Exact up to 20 pairs: with n pairs p is a multiple of `2^−n`, so five seeds cannot give less than 0.0625, and six no less than
 * 0.03125. Beyond, 100,000 random sign patterns from `seed` (0) stand for all. The interval is the t-interval of the difference.
 * Good 2005, "Permutation, parametric and bootstrap tests of hypotheses".
 *
 * @example
 * ```ts
 * import { permutationTest } from "thalweg";
 * permutationTest([0.82, 0.85, 0.84], [0.80, 0.81, 0.83]).p; // all three are positive: 2 of 8 patterns, 0.25
 * ```
 */
export function permutationTest(
  a: readonly number[],
  b: readonly number[],
  { seed = 0 }: { seed?: number } = {},
): PairedTest {
  const differences = paired("permutationTest", a, b);
  const n = differences.length;
  const observed = Math.abs(differences.reduce((sum, value) => sum + value, 0)) * (1 - 1e-12);
  const exact = n <= 20;
  const patterns = exact ? 2 ** n : 100_000;
  const rng = random(seed).at("permutation");
  let reached = 0;
  for (let pattern = 0; pattern < patterns; pattern++) {
    let sum = 0;
    for (let index = 0; index < n; index++) {
      const negative = exact ? (pattern >> index) & 1 : rng.uint32() & 1;
      sum += negative === 1 ? -differences[index]! : differences[index]!;
    }
    if (Math.abs(sum) >= observed) reached++;
  }
  const p = n === 0 ? Number.NaN : exact ? reached / patterns : (reached + 1) / (patterns + 1);
  return { ...tInterval(differences), p, test: exact ? "exact paired permutation test" : "paired permutation test" };
}

function paired(name: string, a: readonly number[], b: readonly number[]): number[] {
  if (a.length !== b.length) {
    throw new RangeError(
      `${name}: a value of both methods for each seed is required, got ${a.length} and ${b.length}; run both with the same seeds`,
    );
  }
  return a.map((value, index) => value - b[index]!);
}

/**
 * Holm's correction: p-values that may be compared with .05 each although several were looked at.
 *
 * @example
 * ```ts
 * import { holm } from "thalweg";
 * holm([0.01, 0.04, 0.03]); // [0.03, 0.06, 0.06]
 * ```
 */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((i, j) => values[i]! - values[j]!);
  const corrected = new Array<number>(values.length);
  let reached = 0;
  for (const [rank, index] of order.entries()) {
    reached = Math.max(reached, Math.min(1, values[index]! * (values.length - rank)));
    corrected[index] = reached;
  }
  return corrected;
}

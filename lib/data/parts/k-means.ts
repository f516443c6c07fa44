/** Clusters of vectors. */
import type { Rng } from "../../engine/index.ts";

/**
 * The centres of up to `count` clusters of rows of `width` numbers, row after row, by Lloyd's rounds from rows that are drawn far apart
 * (Arthur and Vassilvitskii 2007).
 */
export function kMeans(rows: Float32Array, width: number, count: number, rng: Rng, rounds = 20): Float32Array {
  const n = rows.length / width;
  const row = (i: number): Float32Array => rows.subarray(i * width, (i + 1) * width);
  const centres = [row(rng.int(n)).slice()];
  const nearest = Float64Array.from({ length: n }, (_, i) => apart(row(i), centres[0]!));
  while (centres.length < Math.min(count, n)) {
    const total = nearest.reduce((a, b) => a + b, 0);
    let left = rng.uniform() * total;
    const at = total > 0 ? nearest.findIndex((d) => (left -= d) < 0) : -1;
    const next = row(at < 0 ? rng.int(n) : at).slice();
    centres.push(next);
    for (let i = 0; i < n; i++) nearest[i] = Math.min(nearest[i]!, apart(row(i), next));
  }
  const all = new Float32Array(centres.length * width);
  for (const [k, centre] of centres.entries()) all.set(centre, k * width);
  return movedCentres(rows, width, all, rounds);
}

/** Centres after rounds of Lloyd's: each becomes the mean of the rows that are nearest to it; one without any stays. */
export function movedCentres(rows: Float32Array, width: number, from: Float32Array, rounds: number): Float32Array {
  const n = rows.length / width;
  const row = (i: number): Float32Array => rows.subarray(i * width, (i + 1) * width);
  let centres = Array.from({ length: from.length / width }, (_, k) => from.slice(k * width, (k + 1) * width));
  for (let round = 0; round < rounds; round++) {
    const sums = centres.map(() => new Float64Array(width));
    const sizes = new Float64Array(centres.length);
    for (let i = 0; i < n; i++) {
      const at = closest(row(i), centres);
      sizes[at]! += 1;
      for (let j = 0; j < width; j++) sums[at]![j]! += rows[i * width + j]!;
    }
    centres = centres.map((centre, k) =>
      sizes[k] === 0 ? centre : Float32Array.from(sums[k]!, (sum) => sum / sizes[k]!),
    );
  }
  const all = new Float32Array(centres.length * width);
  for (const [k, centre] of centres.entries()) all.set(centre, k * width);
  return all;
}

function apart(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j]! - b[j]!) ** 2;
  return sum;
}

function closest(of: Float32Array, centres: readonly Float32Array[]): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [k, centre] of centres.entries()) {
    const d = apart(of, centre);
    if (d < least) [best, least] = [k, d];
  }
  return best;
}

/** The number of the centre that is nearest to each row. */
export function nearestCentres(rows: Float32Array, centres: Float32Array, width: number): number[] {
  const cut = (of: Float32Array): Float32Array[] =>
    Array.from({ length: of.length / width }, (_, i) => of.subarray(i * width, (i + 1) * width));
  const all = cut(centres);
  return cut(rows).map((row) => closest(row, all));
}

/** Rows cut into bins that follow one another from the most typical and varied to the rest, and drawn evenly from all of them. */
import type { Rng } from "../../engine/index.ts";

/**
 * Divides rows into bins, each chosen one by one among those that are left.
 *
 * The next row of a bin is that whose `Σ_{s in the bin} ‖f_s − f‖² − Σ_{r left, not in the bin} ‖f_r − f‖²` is largest (Zhou et al. 2023, eq. 3): near
 * what is left and far from what the bin has. With rows of length 1 this is `f · (Σ_r f_r − Σ_s f_s)` but for a factor and a constant,
 * the graph cut of their program. `vectors` has `width` numbers for each row, of length 1. Bins differ in size by one at most.
 */
export function binned(vectors: Float32Array, width: number, bins: number): Uint32Array[] {
  const n = vectors.length / width;
  const left = new Set(Array.from({ length: n }, (_, i) => i));
  const dot = (i: number, of: ArrayLike<number>, from = 0): number => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += vectors[i * width + j]! * of[from + j]!;
    return sum;
  };
  return Array.from({ length: Math.min(bins, n) }, (_, b) => {
    const whole = new Float64Array(width);
    for (const i of left) for (let j = 0; j < width; j++) whole[j]! += vectors[i * width + j]!;
    const gains = new Map([...left].map((i) => [i, dot(i, whole)]));
    const bin = new Uint32Array(Math.ceil(left.size / (Math.min(bins, n) - b)));
    for (let k = 0; k < bin.length; k++) {
      let best = -1;
      let most = Number.NEGATIVE_INFINITY;
      for (const [i, gain] of gains) if (gain > most) [best, most] = [i, gain];
      bin[k] = best;
      left.delete(best);
      gains.delete(best);
      // The row leaves what is left and joins the bin: both sums lose it.
      for (const [i, gain] of gains) gains.set(i, gain - 2 * dot(i, vectors, best * width));
    }
    return bin;
  });
}

/** All rows in an order whose every beginning has as many of each bin, to one: bin after bin a row of it at random. */
export function evenly(bins: readonly Uint32Array[], rng: Rng): Uint32Array {
  const shuffled = bins.map((bin) => rng.permutation(bin.length).map((i) => bin[i]!));
  const rounds = Math.max(...bins.map(({ length }) => length));
  return Uint32Array.from(
    Array.from({ length: rounds }).flatMap((_, round) =>
      shuffled.flatMap((bin) => [...bin.subarray(round, round + 1)]),
    ),
  );
}

/** The matrices of HiPPO, in double precision. */

/** What the memory is of: all that was, evenly ("legs"); a window that slides ("legt"); what was, fading ("lagt"). */
export type Measure = "legs" | "legt" | "lagt";

/** `A`, row after row, and `B` of `c' = A c + B f`. */
export interface HippoMatrices {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/**
 * The matrices that keep the first `order` coefficients of a function's past in an orthogonal basis: `c' = A c + B f`, for `"legs"` divided by the time, for
 * `"legt"` by the length of the window.
 *
 * Gu, Dao, Ermon, Rudra and Ré 2020, "HiPPO: Recurrent memory with optimal polynomial projections", arXiv:2008.07669, theorems 1 and 2 (LegT in the scale of
 * orthonormal polynomials; LagT with α = 0, β = 1).
 *
 * @example
 * ```ts
 * import { hippoMatrices } from "thalweg";
 * [...hippoMatrices("legs", 2).a]; // [-1, 0, -Math.sqrt(3), -2]
 * ```
 */
export function hippoMatrices(measure: Measure, order: number): HippoMatrices {
  const root = (n: number): number => Math.sqrt(2 * n + 1);
  const entry: Record<Measure, (n: number, k: number) => number> = {
    legs: (n, k) => (n > k ? -root(n) * root(k) : n === k ? -(n + 1) : 0),
    legt: (n, k) => -root(n) * root(k) * (n < k && (k - n) % 2 === 1 ? -1 : 1),
    lagt: (n, k) => (n > k ? -1 : n === k ? -0.5 : 0),
  };
  if (entry[measure] === undefined)
    throw new RangeError(`hippo: a measure "legs", "legt" or "lagt" is required, got ${JSON.stringify(measure)}`);
  return {
    a: Float64Array.from({ length: order * order }, (_, i) => entry[measure](Math.floor(i / order), i % order)),
    b: Float64Array.from({ length: order }, (_, n) => (measure === "lagt" ? 1 : root(n))),
  };
}

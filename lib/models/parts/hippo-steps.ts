/** HiPPO in other bases and in steps of time, in double precision. */
import { symmetricEigen } from "../../engine/linear-algebra.ts";
import { type HippoMatrices, hippoMatrices, type Measure } from "../hippo-matrices.ts";

/** The eigenvalues of the normal part of LegS, `A + P Pᵀ` with `Pₙ = √(n + ½)`, one of each conjugate pair, the slowest first. */
export const legsModes = (order: number): { readonly re: number[]; readonly im: number[] } => {
  const { im } = legsFactors(order);
  return { re: im.map(() => -0.5), im };
};

/** That normal part in its own basis: `V diag(−½ ± i im) V* − P Pᵀ`; of `V` one column of each pair, and `V* P` and `V* B`. */
export interface LegsFactors {
  readonly im: number[];
  /** `order × order/2`, row after row. */
  readonly vectors: { readonly re: Float64Array; readonly im: Float64Array };
}

const known = new Map<number, LegsFactors>();

export function legsFactors(order: number): LegsFactors {
  const found = known.get(order);
  if (found) return found;
  const half = order / 2;
  // the skew part: S = A + P Pᵀ + ½
  const skew = (n: number, k: number): number =>
    n === k ? 0 : ((n > k ? -1 : 1) * Math.sqrt((2 * n + 1) * (2 * k + 1))) / 2;
  const s = Float64Array.from({ length: order * order }, (_, i) => skew(Math.floor(i / order), i % order));
  const square = new Float64Array(order * order);
  for (let i = 0; i < order; i++)
    for (let j = 0; j < order; j++)
      for (let k = 0; k < order; k++) square[i * order + j]! += s[k * order + i]! * s[k * order + j]!;
  // SᵀS has every ω² twice: with a real vector x of it, x − i S x / ω belongs to iω
  const { values, vectors } = symmetricEigen(square, order);
  const im: number[] = [];
  const [re, ofIm] = [new Float64Array(order * half), new Float64Array(order * half)];
  for (let mode = 0; mode < half; mode++) {
    const row = 2 * (half - 1 - mode);
    const omega = Math.sqrt((values[row]! + values[row + 1]!) / 2);
    im.push(omega);
    for (let n = 0; n < order; n++) {
      let turned = 0;
      for (let k = 0; k < order; k++) turned += s[n * order + k]! * vectors[row * order + k]!;
      re[n * half + mode] = vectors[row * order + n]! * Math.SQRT1_2;
      ofIm[n * half + mode] = (-turned / omega) * Math.SQRT1_2;
    }
  }
  const made = { im, vectors: { re, im: ofIm } };
  known.set(order, made);
  return made;
}

/** `V* x` of a real vector, one number of each conjugate pair. */
export function inModes(
  { vectors, im }: LegsFactors,
  x: ArrayLike<number>,
): { readonly re: number[]; readonly im: number[] } {
  const half = im.length;
  const sum = (of: Float64Array, sign: number, mode: number): number => {
    let total = 0;
    for (let n = 0; n < x.length; n++) total += sign * of[n * half + mode]! * x[n]!;
    return total;
  };
  return { re: im.map((_, mode) => sum(vectors.re, 1, mode)), im: im.map((_, mode) => sum(vectors.im, -1, mode)) };
}

/** `c ← Ā c + B̄ f` at one place after another: `count` matrices, row after row, and as many vectors. */
export interface HippoSteps {
  readonly count: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * The steps of a memory by the bilinear rule: of LegS one for each of `length` places, since time divides its matrices; of the others the same for all, of a window of
 * `window` places, or of a fading of as many.
 */
export function hippoSteps(measure: Measure, order: number, length: number, window: number): HippoSteps {
  const { a, b } = hippoMatrices(measure, order);
  const count = measure === "legs" ? length : 1;
  const steps = { count, a: new Float32Array(count * order * order), b: new Float32Array(count * order) };
  for (let k = 0; k < count; k++) {
    const made = bilinear(a, b, order, 1 / (measure === "legs" ? k + 1 : window));
    steps.a.set(made.a, k * order * order);
    steps.b.set(made.b, k * order);
  }
  return steps;
}

/** `(1 − Δ/2 A)⁻¹ (1 + Δ/2 A)` and `(1 − Δ/2 A)⁻¹ ΔB`. */
export function bilinear(a: Float64Array, b: Float64Array, order: number, step: number): HippoMatrices {
  const width = order + 1;
  const left = new Float64Array(order * order);
  const right = new Float64Array(order * width);
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) {
      left[i * order + j] = (i === j ? 1 : 0) - (step / 2) * a[i * order + j]!;
      right[i * width + j] = (i === j ? 1 : 0) + (step / 2) * a[i * order + j]!;
    }
    right[i * width + order] = step * b[i]!;
  }
  const solved = solve(left, right, order, width);
  return {
    a: Float64Array.from({ length: order * order }, (_, i) => solved[Math.floor(i / order) * width + (i % order)]!),
    b: Float64Array.from({ length: order }, (_, i) => solved[i * width + order]!),
  };
}

/** The solution of `left x = right` by elimination with pivots; both are overwritten. */
export function solve(left: Float64Array, right: Float64Array, n: number, m: number): Float64Array {
  const swap = (of: Float64Array, width: number, i: number, j: number): void => {
    for (let k = 0; k < width; k++) [of[i * width + k], of[j * width + k]] = [of[j * width + k]!, of[i * width + k]!];
  };
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) if (Math.abs(left[j * n + i]!) > Math.abs(left[pivot * n + i]!)) pivot = j;
    if (pivot !== i) {
      swap(left, n, i, pivot);
      swap(right, m, i, pivot);
    }
    for (let j = i + 1; j < n; j++) {
      const factor = left[j * n + i]! / left[i * n + i]!;
      if (factor === 0) continue;
      for (let k = i; k < n; k++) left[j * n + k]! -= factor * left[i * n + k]!;
      for (let k = 0; k < m; k++) right[j * m + k]! -= factor * right[i * m + k]!;
    }
  }
  for (let i = n - 1; i >= 0; i--)
    for (let k = 0; k < m; k++) {
      let sum = right[i * m + k]!;
      for (let j = i + 1; j < n; j++) sum -= left[i * n + j]! * right[j * m + k]!;
      right[i * m + k] = sum / left[i * n + i]!;
    }
  return right;
}

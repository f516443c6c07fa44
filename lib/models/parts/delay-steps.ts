/** The memory of a delay in Legendre polynomials, in steps of time. */
import { product } from "../../engine/linear-algebra.ts";

/** What chunks of `size` places of `m ← Ā m + B̄ u` are made of, row after row. */
export interface DelaySteps {
  /** `[size, size · order]`: what a unit at a place of the chunk leaves at each place, 0 before it. */
  readonly responses: Float32Array;
  /** `[order, size · order]`: what the memory before the chunk leaves at each place. */
  readonly carried: Float32Array;
  /** `[order, order]`: what it leaves at the end: Āᵀ to the power of the size. */
  readonly whole: Float32Array;
}

/**
 * A and B of the Legendre delay network, `θ m' = A m + B u`: `A_ij = (2i + 1) (−1 if i < j, else (−1)^(i − j + 1))`, `B_i = (2i + 1) (−1)^i`, held for steps of `1/window`: `Ā = exp(A/θ)`, `B̄ = A⁻¹ (Ā −
 * 1) B`. Voelker et al. 2019, equation 2.
 */
export function delaySteps(order: number, window: number, size: number): DelaySteps {
  // exp of [[A, B], [0, 0]] / θ holds both: Taylor's series of a small part of it, squared
  const wide = order + 1;
  const squarings = Math.max(0, Math.ceil(Math.log2((4 * order * order) / window)) + 4);
  const small = new Float64Array(wide * wide);
  for (let i = 0; i < order; i++) {
    for (let j = 0; j < order; j++) {
      const sign = i < j || (i - j) % 2 === 0 ? -1 : 1;
      small[i * wide + j] = (sign * (2 * i + 1)) / window / 2 ** squarings;
    }
    small[i * wide + order] = ((i % 2 === 0 ? 1 : -1) * (2 * i + 1)) / window / 2 ** squarings;
  }
  let exp = Float64Array.from({ length: wide * wide }, (_, i) => (i % (wide + 1) === 0 ? 1 : 0));
  let term: Float64Array = exp.slice();
  for (let k = 1; k <= 14; k++) {
    term = product(term, small, wide, wide, wide).map((x) => x / k);
    exp = exp.map((x, i) => x + term[i]!);
  }
  for (let k = 0; k < squarings; k++) exp = product(exp, exp, wide, wide, wide);
  const a = (i: number, j: number): number => exp[i * wide + j]!;
  const next = (m: Float64Array): Float64Array =>
    Float64Array.from({ length: order }, (_, i) => m.reduce((sum, x, j) => sum + a(i, j) * x, 0));
  const responses = new Float32Array(size * size * order);
  let m: Float64Array = Float64Array.from({ length: order }, (_, i) => a(i, order));
  for (let later = 0; later < size; later++) {
    for (let t = 0; t + later < size; t++) responses.set(m, t * size * order + (t + later) * order);
    m = next(m);
  }
  const carried = new Float32Array(order * size * order);
  const whole = new Float32Array(order * order);
  for (let j = 0; j < order; j++) {
    let column: Float64Array = new Float64Array(order);
    column[j] = 1;
    for (let t = 0; t < size; t++) {
      column = next(column);
      carried.set(column, j * size * order + t * order);
    }
    whole.set(column, j * order);
  }
  return { responses, carried, whole };
}

/** Examples to ask a teacher about who is sometimes wrong: a draw that no choice of its mistakes can make worthless. */
import type { Rng } from "../../engine/index.ts";

/**
 * The probabilities that maximise what is gained at least, whichever `mistakes` of the examples the teacher is wrong about: where it is right an
 * example is worth its gain, where it is wrong nothing.
 *
 * With gains `g₁ ≥ g₂ ≥ …` they are `(1/g_i) / Σ_{j ≤ k} 1/g_j` for the first k examples and 0 for the others, k being that with the largest
 * `(k − m) / Σ_{j ≤ k} 1/g_j`, which is the value of the game (Baykal et al. 2023, arXiv:2210.01213, section 3).
 */
export function robustDraw(gains: Float64Array, mistakes: number): Float64Array {
  const order = [...gains.keys()].sort((a, b) => gains[b]! - gains[a]! || a - b);
  const inverse = (i: number): number => 1 / Math.max(gains[i]!, 1e-9);
  let [sum, best, most, whole] = [0, Number.NEGATIVE_INFINITY, order.length, 0];
  order.forEach((i, k) => {
    sum += inverse(i);
    const value = (k + 1 - mistakes) / sum;
    if (value > best) [best, most, whole] = [value, k + 1, sum];
  });
  const out = new Float64Array(gains.length);
  for (const i of order.slice(0, most)) out[i] = inverse(i) / whole;
  return out;
}

/** `count` different places, drawn one after the other with probabilities that go as these; those of probability 0 come last. */
export function drawn(probabilities: Float64Array, count: number, rng: Rng): Uint32Array {
  // The largest of u^(1/p) are such a draw (Efraimidis and Spirakis 2006).
  const keys = Float64Array.from(probabilities, (p) => Math.log(1 - rng.uniform()) / Math.max(p, 1e-300));
  return Uint32Array.from(keys.keys())
    .sort((a, b) => keys[b]! - keys[a]! || a - b)
    .slice(0, count);
}

/** Which examples a learner would like to know the labels of: a score for each, the highest are asked for first. */
import type { Rng } from "../../engine/index.ts";

/** Scores of examples from the probabilities that the network gives them: `columns` for each, row after row. */
export type Acquisition = (probabilities: Float32Array, columns: number, rng: Rng) => Float64Array;

/** All alike: drawn at random. */
const random: Acquisition = (probabilities, columns, rng) =>
  Float64Array.from({ length: probabilities.length / columns }, () => rng.uniform());

/** The entropy of the probabilities: −Σ p ln p. */
const entropy: Acquisition = (probabilities, columns) =>
  each(probabilities, columns, (row) => row.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0));

/** How near the two most probable classes are: 1 − (p₁ − p₂). */
const margin: Acquisition = (probabilities, columns) =>
  each(probabilities, columns, (row) => {
    let [first, second] = [0, 0];
    for (const p of row) {
      if (p > first) [first, second] = [p, first];
      else if (p > second) second = p;
    }
    return 1 - (first - second);
  });

/** The ways to choose, by name. */
export const acquisitions = { random, entropy, margin } satisfies Record<string, Acquisition>;

/** The name of a way to choose. */
export type AcquisitionName = keyof typeof acquisitions;

function each(probabilities: Float32Array, columns: number, score: (row: Float32Array) => number): Float64Array {
  return Float64Array.from({ length: probabilities.length / columns }, (_, i) =>
    score(probabilities.subarray(i * columns, (i + 1) * columns)),
  );
}

/** The softmax of each row of logits over the columns with 1 in the mask (all without one), which has one row, or one for each. */
export function probabilitiesOf(logits: Float32Array, columns: number, mask: ArrayLike<number> | null): Float32Array {
  const out = new Float32Array(logits.length);
  const open = (i: number): boolean => mask === null || mask[i % mask.length] === 1;
  for (let start = 0; start < logits.length; start += columns) {
    let [largest, sum] = [-Infinity, 0];
    for (let i = start; i < start + columns; i++) if (open(i)) largest = Math.max(largest, logits[i]!);
    for (let i = start; i < start + columns; i++) if (open(i)) sum += out[i] = Math.exp(logits[i]! - largest);
    for (let i = start; i < start + columns; i++) out[i]! /= sum;
  }
  return out;
}

/** The positions of the `count` highest scores, highest first; of equal ones the earlier. */
export function highest(scores: Float64Array, count: number): Uint32Array {
  return Uint32Array.from(scores.keys())
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, count);
}

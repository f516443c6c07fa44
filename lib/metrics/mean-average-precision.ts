/** Ranking quality for examples that may have many labels, and accuracy at each level of a hierarchy. */
import { type Matrix, requireMatrix } from "./parts/linear-algebra.ts";

/**
 * The mean over labels of their average precision (mAP): how high the examples that have a label rank by its score.
 *
 * `scores` and `truth` (0 or 1) have a row per example and a column per label. `AP = Σ_k (R_k − R_{k−1}) P_k` over the ranking,
 * examples with equal scores counted together, without interpolation. Labels that no example has are left out; NaN when none has.
 *
 * @example
 * ```ts
 * import { meanAveragePrecision } from "thalweg";
 * const scores = { data: [0.9, 0.8, 0.3], rows: 3, columns: 1 };
 * const truth = { data: [1, 0, 1], rows: 3, columns: 1 };
 * meanAveragePrecision(scores, truth); // (1/1 + 2/3) / 2 = 0.8333
 * ```
 */
export function meanAveragePrecision(scores: Matrix, truth: Matrix): number {
  requireMatrix("meanAveragePrecision", scores);
  requireMatrix("meanAveragePrecision", truth);
  if (scores.rows !== truth.rows || scores.columns !== truth.columns) {
    throw new RangeError(
      `meanAveragePrecision: a truth for every score is required, got ${scores.rows} × ${scores.columns} scores and ${truth.rows} × ${truth.columns} truths`,
    );
  }
  const values: number[] = [];
  for (let label = 0; label < scores.columns; label++) {
    const pairs = Array.from({ length: scores.rows }, (_, row) => ({
      score: scores.data[row * scores.columns + label]!,
      has: truth.data[row * scores.columns + label] === 1,
    })).sort((a, b) => b.score - a.score);
    const total = pairs.filter(({ has }) => has).length;
    if (total > 0) values.push(averagePrecision(pairs, total));
  }
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function averagePrecision(ranked: readonly { score: number; has: boolean }[], total: number): number {
  let [hits, counted, sum] = [0, 0, 0];
  for (let rank = 0; rank < ranked.length; rank++) {
    if (ranked[rank]!.has) hits++;
    if (ranked[rank + 1]?.score === ranked[rank]!.score) continue;
    sum += ((hits - counted) / total) * (hits / (rank + 1));
    counted = hits;
  }
  return sum;
}

/**
 * Accuracy at each level of a class hierarchy: a prediction counts at a level when it has the same ancestor there.
 *
 * `levels[l][c]` is the ancestor of leaf class `c` at level `l`; the last level is usually the classes themselves.
 *
 * @example
 * ```ts
 * import { accuracyByLevel } from "thalweg";
 * const levels = [[0, 0, 1], [0, 1, 2]]; // cats and dogs are animals, cars are not
 * accuracyByLevel([0, 1, 2], [1, 1, 0], levels); // [2/3, 1/3]
 * ```
 */
export function accuracyByLevel(
  labels: ArrayLike<number>,
  predictions: ArrayLike<number>,
  levels: readonly (readonly number[])[],
): number[] {
  return levels.map((ancestors) => {
    let right = 0;
    for (let index = 0; index < labels.length; index++) {
      if (ancestors[labels[index]!] === ancestors[predictions[index]!]) right++;
    }
    return right / labels.length;
  });
}

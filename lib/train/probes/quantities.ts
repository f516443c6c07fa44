/** Whether a network can still learn: dead units, collapsed representations, grown weights. */
import { type Matrix, requireMatrix, singularValues } from "./parts/matrix.ts";
import { entropyRank, squaredRank } from "./parts/ranks.ts";

/**
 * The share of units that hardly respond: those whose mean absolute activation is at most `threshold` times the layer's mean.
 *
 * `activations` has a row per example and a column per unit, after the nonlinearity. With a threshold of 0 (the default) only
 * units that are 0 for all examples count: dead ones. A layer that is 0 everywhere is all dormant.
 * Sokar et al. 2023, "The dormant neuron phenomenon", arXiv:2302.12902, definition 3.1.
 *
 * @example
 * ```ts
 * import { dormantUnits } from "thalweg";
 * const activations = { data: [1, 0, 0.1, 3, 0, 0.1], rows: 2, columns: 3 };
 * dormantUnits(activations); // 1/3: the second unit never responds
 * dormantUnits(activations, { threshold: 0.2 }); // 2/3: the third responds less than a fifth of the mean of 0.7
 * ```
 */
export function dormantUnits(activations: Matrix, { threshold = 0 }: { threshold?: number } = {}): number {
  requireMatrix("dormantUnits", activations);
  const { data, rows, columns } = activations;
  const response = new Float64Array(columns);
  for (let index = 0; index < data.length; index++) response[index % columns]! += Math.abs(data[index]!) / rows;
  const layer = response.reduce((sum, value) => sum + value, 0) / columns;
  return response.filter((value) => value <= threshold * layer).length / columns;
}

/**
 * How many directions the features of a layer really use: `exp(−Σ p_i ln p_i)` of the singular values `p_i = σ_i / Σσ`.
 *
 * From 1 (all on a line) to the number of features (all directions alike); 0 for features that are all 0.
 * Roy and Vetterli 2007, "The effective rank". The features are not centred, as in Dohare et al. 2024, Nature 632.
 *
 * @example
 * ```ts
 * import { effectiveRank } from "thalweg";
 * effectiveRank({ data: [2, 0, 0, 2], rows: 2, columns: 2 }); // 2: both directions alike
 * effectiveRank({ data: [1, 1, 2, 2], rows: 2, columns: 2 }); // 1: both features say the same
 * ```
 */
export function effectiveRank(features: Matrix): number {
  requireMatrix("effectiveRank", features);
  return entropyRank(singularValues(features));
}

/**
 * The squared Frobenius norm over the squared spectral norm: `Σσ² / σ_1²`; never more than the rank, and steady under noise.
 *
 * Rudelson and Vershynin 2007, arXiv:math/0503442. 0 for a matrix that is all 0.
 *
 * @example
 * ```ts
 * import { stableRank } from "thalweg";
 * stableRank({ data: [2, 0, 0, 1], rows: 2, columns: 2 }); // (4 + 1) / 4 = 1.25
 * ```
 */
export function stableRank(matrix: Matrix): number {
  requireMatrix("stableRank", matrix);
  return squaredRank(singularValues(matrix));
}

/**
 * How many singular values hold a share of the spectrum: the least `k` with `Σ_{i≤k} σ_i² ≥ share · Σ σ_i²`.
 *
 * `share` is .99 by default. Yang et al. 2020, arXiv:1909.12255, as measured by Dohare et al. 2024.
 *
 * @example
 * ```ts
 * import { approximateRank } from "thalweg";
 * approximateRank({ data: [10, 0, 0, 1], rows: 2, columns: 2 }); // 100/101 > 0.99: 1
 * ```
 */
export function approximateRank(matrix: Matrix, { share = 0.99 }: { share?: number } = {}): number {
  requireMatrix("approximateRank", matrix);
  const squares = singularValues(matrix).map((value) => value * value);
  const total = squares.reduce((sum, value) => sum + value, 0);
  let held = 0;
  return total === 0 ? 0 : squares.findIndex((value) => (held += value) >= share * total * (1 - 1e-12)) + 1;
}

/**
 * The mean absolute weight: grows steadily in networks that lose plasticity.
 *
 * Dohare et al. 2024, "Loss of plasticity in deep continual learning", Nature 632.
 *
 * @example
 * ```ts
 * import { weightMagnitude } from "thalweg";
 * weightMagnitude([1, -2, 3]); // 2
 * ```
 */
export function weightMagnitude(weights: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < weights.length; index++) total += Math.abs(weights[index]!);
  return total / weights.length;
}

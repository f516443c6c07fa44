/** A normal belief over the weights of a linear map, one covariance for all of its columns. */
import { cholesky, solveSymmetric } from "../../engine/linear-algebra.ts";

/** `mean` is `width × columns`, `covariance` is `width × width`. */
export interface Belief {
  readonly width: number;
  readonly columns: number;
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/** The prior: mean 0 and one deviation for every weight. */
export function vague(width: number, columns: number, deviation: number): Belief {
  const covariance = new Float64Array(width * width);
  for (let i = 0; i < width; i++) covariance[i * width + i] = deviation ** 2;
  return { width, columns, mean: new Float64Array(width * columns), covariance };
}

/** The belief after the weights have drifted: `w ← keep · w + noise`, whose lasting state is the prior. */
export function drifted({ width, columns, mean, covariance }: Belief, keep: number, deviation: number): Belief {
  const next = covariance.map((v) => v * keep * keep);
  for (let i = 0; i < width; i++) next[i * width + i]! += (1 - keep * keep) * deviation ** 2;
  return { width, columns, mean: mean.map((v) => v * keep), covariance: next };
}

/** `V P` and `V P Vᵀ + noise² I` for the rows V. */
function spread({ width, covariance }: Belief, vectors: Float64Array, noise: number) {
  const n = vectors.length / width;
  const through = new Float64Array(n * width);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < width; k++) {
      const v = vectors[i * width + k]!;
      if (v !== 0) for (let j = 0; j < width; j++) through[i * width + j]! += v * covariance[k * width + j]!;
    }
  const sum = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let dot = i === j ? noise * noise : 0;
      for (let k = 0; k < width; k++) dot += through[i * width + k]! * vectors[j * width + k]!;
      sum[i * n + j] = dot;
    }
  return { n, through, sum };
}

/** What is left of the labels, as 0 and 1, after the mean's predictions: `n × columns`. */
function surprise({ width, columns, mean }: Belief, vectors: Float64Array, labels: Int32Array): Float64Array {
  const out = new Float64Array(labels.length * columns);
  for (let i = 0; i < labels.length; i++) {
    out[i * columns + labels[i]!]! += 1;
    for (let k = 0; k < width; k++) {
      const v = vectors[i * width + k]!;
      if (v !== 0) for (let c = 0; c < columns; c++) out[i * columns + c]! -= v * mean[k * columns + c]!;
    }
  }
  return out;
}

/** The belief after a batch is seen (Kalman 1960). */
export function observed(belief: Belief, vectors: Float64Array, labels: Int32Array, noise: number): Belief {
  const { width, columns } = belief;
  const { n, through, sum } = spread(belief, vectors, noise);
  const gain = solveSymmetric(sum, through, n, width);
  const apart = surprise(belief, vectors, labels);
  const mean = belief.mean.slice();
  const covariance = belief.covariance.slice();
  for (let i = 0; i < n; i++)
    for (let k = 0; k < width; k++) {
      const g = gain[i * width + k]!;
      if (g === 0) continue;
      for (let c = 0; c < columns; c++) mean[k * columns + c]! += g * apart[i * columns + c]!;
      for (let j = 0; j < width; j++) covariance[k * width + j]! -= g * through[i * width + j]!;
    }
  return { width, columns, mean, covariance };
}

/** The log-likelihood of a batch before it is seen, over all columns, without the constant. */
export function logLikelihood(belief: Belief, vectors: Float64Array, labels: Int32Array, noise: number): number {
  const { n, sum } = spread(belief, vectors, noise);
  const apart = surprise(belief, vectors, labels);
  const l = cholesky(sum, n);
  const solved = solveSymmetric(sum, apart, n, belief.columns);
  let total = 0;
  for (let i = 0; i < apart.length; i++) total -= 0.5 * apart[i]! * solved[i]!;
  for (let i = 0; i < n; i++) total -= belief.columns * Math.log(l[i * n + i]!);
  return total;
}

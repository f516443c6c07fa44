/** Where a learning curve is going, and how sure one can be of it. */
import { type Rng, random } from "../engine/random.ts";
import type { CurvePoint } from "./learning-curve.ts";

/** What is believed of a learning curve beyond its points. */
export interface CurvePosterior {
  /** The performance at a size: its mean, and the bounds that it is within with the probability `level`, 0.9 by default. */
  predict(size: number, level?: number): { readonly mean: number; readonly low: number; readonly high: number };
  /** The probability that the performance at a size is above a threshold: the best so far, say, when one thinks of stopping early. */
  probabilityAbove(size: number, threshold: number): number;
}

/** A shape of curve: how much of the way is still to go at a share of the largest size seen. */
type Shape = (share: number) => number;

/** A law with its shape and what the points say of its linear part. */
interface Law {
  readonly shape: Shape;
  readonly weight: number;
  readonly fit: Fit;
}

/** The regression `y = c − a u` and the spread of its coefficients. */
interface Fit {
  readonly meanU: number;
  readonly meanY: number;
  readonly slope: number;
  readonly spreadU: number;
  readonly squares: number;
  readonly n: number;
}

/** A curve drawn from the posterior, with the noise of its observations. */
interface Drawn {
  readonly shape: Shape;
  readonly limit: number;
  readonly rise: number;
}

/** Rates of the laws, 40 of them evenly spaced in their logarithm. */
const rates = Array.from({ length: 40 }, (_, i) => Math.exp(-3 + (6 * i) / 39));
const shapes: readonly Shape[] = [
  ...rates.map(
    (rate): Shape =>
      (share) =>
        share ** -rate,
  ),
  ...rates.map(
    (rate): Shape =>
      (share) =>
        Math.exp(-rate * share),
  ),
];

/**
 * Extrapolates a learning curve by Bayes' rule: a power law `c − a x^(−b)` or an exponential `c − a e^(−b x)` with `a ≥ 0`, whatever the
 * rate, as the points make them likely.
 *
 * Rates have a log-uniform prior on a grid; the level, the rise over the points and the logarithm of the noise have flat ones, with `c` within
 * `within` ([0, 1] by default);
 * for a given rate the rest is linear regression, so that draws are exact and nothing has to converge. The same points and `seed` (0) give
 * the same answer. Needs four points, at three different sizes or more.
 *
 * After Domhan, Springenberg and Hutter 2015, "Speeding up automatic hyperparameter optimization of deep neural networks by extrapolation
 * of learning curves", IJCAI. Differs from the paper: two of its eleven families, one at a time in place of a weighted sum; a grid and
 * exact draws in place of Markov chains. LC-PFN (Adriaensen et al. 2023, arXiv:2310.20447) approximates the same posterior by a trained
 * network, whose weights are not a part of this library.
 *
 * @throws RangeError when there are too few points, or none of the laws can have made them.
 *
 * @example
 * ```ts
 * import { curvePosterior } from "thalweg";
 * const points = [100, 200, 400, 800, 1600].map((size) => [size, 0.9 - 2 * size ** -0.5] as const);
 * const { mean, low, high } = curvePosterior(points).predict(25600); // about 0.8875
 * low <= mean && mean <= high; // true
 * ```
 */
export function curvePosterior(
  points: readonly CurvePoint[],
  {
    within = [0, 1],
    draws = 2000,
    seed = 0,
  }: { readonly within?: readonly [number, number]; readonly draws?: number; readonly seed?: number } = {},
): CurvePosterior {
  const sizes = new Set(points.map(([size]) => size));
  if (points.length < 4 || sizes.size < 3 || [...sizes].some((size) => !(size > 0)))
    throw new RangeError(
      `curvePosterior: four points or more at three sizes above 0 are required, got ${points.length} at ${sizes.size}; evaluate more often`,
    );
  const scale = Math.max(...sizes);
  const laws = weighed(points, scale);
  const rng = random(seed).at("curve");
  const found: Drawn[] = [];
  for (let tries = 0; found.length < draws && tries < 200 * draws; tries++) {
    const drawn = draw(laws, rng);
    if (drawn.rise >= 0 && drawn.limit >= within[0] && drawn.limit <= within[1]) found.push(drawn);
  }
  if (found.length < draws)
    throw new RangeError(
      `curvePosterior: a curve that rises to a limit within ${within.join(" and ")} is required, got one that does not; give the bounds of the measure, or its negative when it falls`,
    );
  const at = (size: number): Float64Array =>
    Float64Array.from(found, ({ shape, limit, rise }) => limit - rise * shape(size / scale)).sort();
  return {
    predict(size, level = 0.9) {
      const values = at(size);
      const quantile = (share: number): number => values[Math.round(share * (draws - 1))]!;
      const mean = values.reduce((sum, value) => sum + value, 0) / draws;
      return { mean, low: quantile((1 - level) / 2), high: quantile((1 + level) / 2) };
    },
    probabilityAbove: (size, threshold) => at(size).filter((value) => value > threshold).length / draws,
  };
}

/** The laws with their probabilities given the points: the noise and both coefficients integrated out. */
function weighed(points: readonly CurvePoint[], scale: number): Law[] {
  const fits = shapes.map((shape) => ({ shape, fit: regression(points, (size) => shape(size / scale)) }));
  const sound = fits.filter(({ fit }) => fit.spreadU > 1e-12 && Number.isFinite(fit.spreadU));
  // The prior on the rise is on the size of the rise within the points, so that steep shapes are not favoured.
  const scores = sound.map(({ fit }) => -((fit.n - 2) / 2) * Math.log(fit.squares));
  const best = Math.max(...scores);
  return sound.map((law, i) => ({ ...law, weight: Math.exp(scores[i]! - best) }));
}

function regression(points: readonly CurvePoint[], u: (size: number) => number): Fit {
  const n = points.length;
  const meanU = points.reduce((sum, [size]) => sum + u(size), 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const spreadU = points.reduce((sum, [size]) => sum + (u(size) - meanU) ** 2, 0);
  const slope = points.reduce((sum, [size, y]) => sum + (u(size) - meanU) * (y - meanY), 0) / spreadU;
  const squares = points.reduce((sum, [size, y]) => sum + (y - meanY - slope * (u(size) - meanU)) ** 2, 0);
  return { meanU, meanY, slope, spreadU, squares: Math.max(squares, 1e-12), n };
}

/** A law by its probability, noise from the inverse chi-square, coefficients from the normal around the regression. */
function draw(laws: readonly Law[], rng: Rng): Drawn {
  let left = rng.uniform() * laws.reduce((sum, { weight }) => sum + weight, 0);
  const { shape, fit } = laws.find(({ weight }) => (left -= weight) < 0) ?? laws.at(-1)!;
  let chi = 0;
  for (let k = 0; k < fit.n - 2; k++) chi += rng.normal() ** 2;
  const noise = Math.sqrt(fit.squares / chi);
  const slope = fit.slope + (noise * rng.normal()) / Math.sqrt(fit.spreadU);
  const level = fit.meanY + (noise * rng.normal()) / Math.sqrt(fit.n);
  return { shape, rise: -slope, limit: level - slope * fit.meanU };
}

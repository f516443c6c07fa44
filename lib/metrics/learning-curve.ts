/** Where a learning curve is going, from its beginning. */

/** A point of a learning curve: a performance after so many steps or examples. */
export type CurvePoint = readonly [size: number, performance: number];

/** A learning curve fitted by an inverse power law: `c − a · size^(−b)`. */
export interface LearningCurve {
  readonly a: number;
  readonly b: number;
  /** Where it ends: the performance of endless training. */
  readonly limit: number;
  /** The root of the mean squared residual. */
  readonly error: number;
  predict(size: number): number;
}

/**
 * Fits an inverse power law to the points of a learning curve by least squares: `c − a · size^(−b)` with `b > 0`.
 *
 * Needs three different sizes. After Vilares Ferro, Darriba Bilbao and Ribadas Pena 2017, "Modeling of learning curves with
 * applications to POS tagging", arXiv:2402.02515.
 *
 * Implements: P288 Learning-curve modelling (POS)
 *
 * @example
 * ```ts
 * import { learningCurve } from "thalweg";
 * const curve = learningCurve([[100, 0.7], [400, 0.8], [1600, 0.85], [6400, 0.875]]); // 0.9 − 2 · size^(−1/2)
 * curve.limit; // 0.9
 * curve.predict(25600); // 0.8875
 * ```
 */
export function learningCurve(points: readonly CurvePoint[]): LearningCurve {
  const sizes = new Set(points.map(([size]) => size));
  if (sizes.size < 3 || [...sizes].some((size) => !(size > 0))) {
    throw new RangeError(
      `learningCurve: points at three or more different sizes above 0 are required, got ${sizes.size}; evaluate more often`,
    );
  }
  const scale = Math.max(...sizes);
  const fitAt = (logB: number) => fitGiven(points, Math.exp(logB), scale);
  const starts = Array.from({ length: 41 }, (_, index) => -5 + index * 0.175);
  const start = starts.reduce((best, at) => (fitAt(at).error < fitAt(best).error ? at : best));
  const { a, b, c, error } = fitAt(goldenSection((logB) => fitAt(logB).error, start - 0.175, start + 0.175));
  return { a: a * scale ** b, b, limit: c, error, predict: (size) => c - a * (size / scale) ** -b };
}

/** The least squares fit of `c − a (size/scale)^(−b)` for a given `b`. */
function fitGiven(points: readonly CurvePoint[], b: number, scale: number) {
  const n = points.length;
  const u = points.map(([size]) => (size / scale) ** -b);
  const meanU = u.reduce((sum, value) => sum + value, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const spread = u.reduce((sum, value) => sum + (value - meanU) ** 2, 0);
  const shared = points.reduce((sum, [, y], index) => sum + (u[index]! - meanU) * (y - meanY), 0);
  const slope = spread === 0 ? 0 : shared / spread;
  const c = meanY - slope * meanU;
  const squares = points.reduce((sum, [, y], index) => sum + (y - c - slope * u[index]!) ** 2, 0);
  return { a: -slope, b, c, error: Math.sqrt(squares / n) };
}

function goldenSection(value: (at: number) => number, low: number, high: number): number {
  const share = (Math.sqrt(5) - 1) / 2;
  let [from, to] = [low, high];
  let [left, right] = [to - share * (to - from), from + share * (to - from)];
  let [atLeft, atRight] = [value(left), value(right)];
  for (let step = 0; step < 80; step++) {
    if (atLeft < atRight) {
      [to, right, atRight] = [right, left, atLeft];
      left = to - share * (to - from);
      atLeft = value(left);
    } else {
      [from, left, atLeft] = [left, right, atRight];
      right = from + share * (to - from);
      atRight = value(right);
    }
  }
  return (from + to) / 2;
}

/** Whether, and from which point on, a curve's end can be told. */
export interface Extrapolation {
  /** The limit fitted to each beginning of the curve, from three points on. */
  readonly limits: readonly number[];
  /** The size from which successive limits differ by less than the tolerance to the end; undefined when they do not settle. */
  readonly reliableFrom: number | undefined;
}

/**
 * Fits ever longer beginnings of a curve and says from where on its limit has settled: training for it can stop there.
 *
 * `tolerance` is the largest change between successive limits, .01 by default; `steady` how many must agree in a row, 3 by default.
 * After the proximity condition of Vilares Ferro et al. 2017: here successive limits of the fit are compared, nothing else.
 *
 * @example
 * ```ts
 * import { extrapolation } from "thalweg";
 * const points = [1, 2, 3, 4, 5, 6, 7].map((k) => [100 * k, 0.9 - 2 * (100 * k) ** -0.5] as const);
 * extrapolation(points).reliableFrom; // 400: the law holds exactly, so the second limit confirms the first
 * ```
 */
export function extrapolation(
  points: readonly CurvePoint[],
  { tolerance = 0.01, steady = 3 }: { tolerance?: number; steady?: number } = {},
): Extrapolation {
  const limits = points.slice(2).map((_, index) => learningCurve(points.slice(0, index + 3)).limit);
  let from = limits.length;
  while (from > 1 && Math.abs(limits[from - 1]! - limits[from - 2]!) < tolerance) from--;
  return { limits, reliableFrom: limits.length - from >= steady ? points[from + 2]![0] : undefined };
}

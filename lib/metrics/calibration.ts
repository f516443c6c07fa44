/** Whether a classifier is as sure as it is right. */
import { type Matrix, requireMatrix } from "./parts/linear-algebra.ts";

/** One bin of a reliability diagram. */
export interface CalibrationBin {
  /** The confidences it holds: above `from`, up to `to`. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** The mean confidence, and the share of examples right; NaN in an empty bin. */
  readonly confidence: number;
  readonly accuracy: number;
}

/** Measures of calibration; all are 0 for perfectly calibrated certainty. */
export interface Calibration {
  /** Expected calibration error: `Σ_b (n_b/n) |accuracy_b − confidence_b|`. */
  readonly expected: number;
  /** Maximum calibration error: the worst bin that is not empty. */
  readonly maximum: number;
  /** The expected error of each class's own probability, mean over classes (classwise ECE). */
  readonly classwise: number;
  /** Brier score: the mean over examples of `Σ_c (p_c − y_c)²`. */
  readonly brier: number;
  /** Mean negative log-likelihood of the true class, in nats. */
  readonly logLoss: number;
  readonly bins: readonly CalibrationBin[];
}

/**
 * Measures how far a classifier's probabilities are from the shares of examples they are right on.
 *
 * `probabilities` has a row per example and a column per class, each row adding up to 1; `labels` are column indices. `bins` of
 * equal width, 15 by default. Guo et al. 2017, arXiv:1706.04599, section 2; classwise: Kull et al. 2019, arXiv:1910.12656.
 *
 * @example
 * ```ts
 * import { calibration } from "thalweg";
 * const probabilities = { data: [0.9, 0.1, 0.6, 0.4, 0.2, 0.8], rows: 3, columns: 2 };
 * calibration(probabilities, [0, 1, 1], { bins: 2 }).expected; // |2/3 − (0.9 + 0.6 + 0.8)/3| = 0.1
 * ```
 */
export function calibration(
  probabilities: Matrix,
  labels: ArrayLike<number>,
  { bins = 15 }: { bins?: number } = {},
): Calibration {
  requireMatrix("calibration", probabilities);
  const { data, rows, columns } = probabilities;
  if (labels.length !== rows) {
    throw new RangeError(`calibration: a label for each of ${rows} examples is required, got ${labels.length}`);
  }
  const sure = new Float64Array(rows);
  const right = new Float64Array(rows);
  let [brier, logLoss] = [0, 0];
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let column = 0; column < columns; column++) {
      const value = data[row * columns + column]!;
      if (value > data[row * columns + best]!) best = column;
      brier += (value - (column === labels[row] ? 1 : 0)) ** 2 / rows;
    }
    sure[row] = data[row * columns + best]!;
    right[row] = best === labels[row] ? 1 : 0;
    logLoss -= Math.log(Math.max(data[row * columns + labels[row]!]!, Number.MIN_VALUE)) / rows;
  }
  const found = binned(sure, right, bins);
  const classErrors = Array.from({ length: columns }, (_, column) => {
    const own = Float64Array.from({ length: rows }, (_, row) => data[row * columns + column]!);
    return expectedError(
      binned(
        own,
        Float64Array.from({ length: rows }, (_, row) => (labels[row] === column ? 1 : 0)),
        bins,
      ),
      rows,
    );
  });
  return {
    expected: expectedError(found, rows),
    maximum: Math.max(...found.filter(({ count }) => count > 0).map(gap)),
    classwise: classErrors.reduce((sum, error) => sum + error, 0) / columns,
    brier,
    logLoss,
    bins: found,
  };
}

function binned(sure: Float64Array, right: Float64Array, bins: number): CalibrationBin[] {
  const [counts, confidences, hits] = [0, 1, 2].map(() => new Float64Array(bins)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (const [index, value] of sure.entries()) {
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(value * bins) - 1));
    counts[bin]!++;
    confidences[bin]! += value;
    hits[bin]! += right[index]!;
  }
  return Array.from(counts, (count, bin) => ({
    from: bin / bins,
    to: (bin + 1) / bins,
    count,
    confidence: confidences[bin]! / count,
    accuracy: hits[bin]! / count,
  }));
}

function gap({ confidence, accuracy }: CalibrationBin): number {
  return Math.abs(accuracy - confidence);
}

function expectedError(bins: readonly CalibrationBin[], examples: number): number {
  return bins.reduce((sum, bin) => (bin.count > 0 ? sum + (bin.count / examples) * gap(bin) : sum), 0);
}

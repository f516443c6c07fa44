/** How far a classifier's probabilities are from calibrated, whatever the class, without bins. */
import { type Matrix, requireMatrix } from "./parts/linear-algebra.ts";

/** The outcome of `hCalibration`. */
export interface HCalibration {
  /** The smallest `ε` by which the probabilities are calibrated: no window of neighbouring ones is further from what happened. */
  readonly bound: number;
  /** The mean over windows of the same distance. */
  readonly mean: number;
  /** The mean over windows of what exceeds `epsilon`: 0 when the probabilities are calibrated to within it. */
  readonly excess: number;
}

/**
 * The error bound of h-calibration: the largest distance, over windows of neighbouring probabilities, between their mean and the share of
 * the classes they speak of that came true.
 *
 * `probabilities` has a row per example and a column per class; `labels` are column indices. The probabilities of all classes and examples
 * are put in order, and `|mean(p − y)|` is taken over each `window` of neighbours (201 by default, all of them when there are fewer).
 * Where a bin of `calibration` is narrow or wide by the clock of probability, a window always holds as many predictions.
 *
 * Huang et al. 2025, "h-calibration: rethinking classifier recalibration with probabilistic error-bounded objective", arXiv:2506.17968: the
 * objective `mean(max(0, |mean(p − y)| − ε))` of the authors' published loss, unweighted, and the least `ε` for which it is 0.
 * Differs from the paper: whole windows only, where the published loss fills those at the ends with zeros; all examples at once, where it
 * leaves out the examples of one class after the other.
 *
 * @throws RangeError when there is no label for each example, or the window is not a whole number of at least 1.
 *
 * @example
 * ```ts
 * import { hCalibration } from "thalweg";
 * const probabilities = { data: [0.9, 0.1, 0.6, 0.4], rows: 2, columns: 2 };
 * hCalibration(probabilities, [0, 1], { window: 2 }).bound; // 0.25: of 0.1 and 0.4 half came true
 * ```
 */
export function hCalibration(
  probabilities: Matrix,
  labels: ArrayLike<number>,
  { window = 201, epsilon = 0 }: { window?: number; epsilon?: number } = {},
): HCalibration {
  requireMatrix("hCalibration", probabilities);
  const { data, rows, columns } = probabilities;
  if (labels.length !== rows)
    throw new RangeError(`hCalibration: a label for each of ${rows} examples is required, got ${labels.length}`);
  if (!Number.isInteger(window) || window < 1)
    throw new RangeError(`hCalibration: a window of at least 1 prediction is required, got ${window}; 201 is usual`);
  const order = Uint32Array.from({ length: data.length }, (_, i) => i).sort((a, b) => data[a]! - data[b]! || a - b);
  const width = Math.min(window, order.length);
  const distance = (index: number): number =>
    data[index]! - (labels[Math.floor(index / columns)] === index % columns ? 1 : 0);
  let [sum, bound, mean, excess] = [0, 0, 0, 0];
  const windows = order.length - width + 1;
  for (const [place, index] of order.entries()) {
    sum += distance(index);
    if (place >= width) sum -= distance(order[place - width]!);
    if (place < width - 1) continue;
    const far = Math.abs(sum) / width;
    bound = Math.max(bound, far);
    mean += far / windows;
    excess += Math.max(0, far - epsilon) / windows;
  }
  return { bound, mean, excess };
}

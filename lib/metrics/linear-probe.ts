/** What a linear classifier could still read out of features: knowledge that forgetting in the head hides. */
import { crossProduct, type Matrix, requireMatrix, solvePositive } from "./parts/linear-algebra.ts";

/** A linear probe: the class of each row of features. */
export interface Probe {
  predict(features: Matrix): Int32Array;
  /** The share of examples right. */
  accuracy(features: Matrix, labels: ArrayLike<number>): number;
}

/**
 * Fits a linear classifier to frozen features in closed form: ridge regression on one-hot labels, with a bias.
 *
 * `classes` is how many there are; `ridge` the strength of the penalty on weights, relative to the mean square of the features,
 * 1e−3 by default. The accuracy of the probe on test features is the knowledge the representation still holds, whatever the head does.
 * Davari et al. 2022, "Probing representation forgetting", arXiv:2203.13381.
 * Differs from the paper: least squares in closed form, so that the probe has no learning rate, where theirs descends cross-entropy.
 *
 * @example
 * ```ts
 * import { linearProbe } from "thalweg";
 * const probe = linearProbe({ data: [0, 1, 10, 11], rows: 4, columns: 1 }, [0, 0, 1, 1], 2);
 * probe.accuracy({ data: [2, 9], rows: 2, columns: 1 }, [0, 1]); // 1
 * ```
 */
export function linearProbe(
  features: Matrix,
  labels: ArrayLike<number>,
  classes: number,
  { ridge = 1e-3 }: { ridge?: number } = {},
): Probe {
  requireMatrix("linearProbe", features);
  if (labels.length !== features.rows) {
    throw new RangeError(
      `linearProbe: a label for each of ${features.rows} examples is required, got ${labels.length}`,
    );
  }
  const x = withBias(features);
  const targets = new Float64Array(x.rows * classes);
  for (let row = 0; row < x.rows; row++) targets[row * classes + labels[row]!] = 1;
  const gram = crossProduct(x, x);
  const regular = Float64Array.from(gram.data);
  let size = 0;
  for (let index = 0; index < x.columns - 1; index++) size += gram.data[index * x.columns + index]! / (x.columns - 1);
  for (let index = 0; index < x.columns; index++) {
    regular[index * x.columns + index]! += index === x.columns - 1 ? 1e-9 * x.rows : ridge * size + 1e-12;
  }
  const weights = solvePositive(
    { ...gram, data: regular },
    crossProduct(x, { data: targets, rows: x.rows, columns: classes }),
  );
  const predict = (given: Matrix): Int32Array => {
    requireMatrix("linearProbe", given);
    const rows = withBias(given);
    return Int32Array.from({ length: rows.rows }, (_, row) => bestClass(rows, row, weights));
  };
  return {
    predict,
    accuracy: (given, truth) => predict(given).filter((label, row) => label === truth[row]).length / given.rows,
  };
}

function bestClass(x: Matrix, row: number, weights: Matrix): number {
  let [best, most] = [0, Number.NEGATIVE_INFINITY];
  for (let label = 0; label < weights.columns; label++) {
    let score = 0;
    for (let index = 0; index < x.columns; index++)
      score += x.data[row * x.columns + index]! * weights.data[index * weights.columns + label]!;
    if (score > most) [best, most] = [label, score];
  }
  return best;
}

function withBias({ data, rows, columns }: Matrix): Matrix {
  const out = new Float64Array(rows * (columns + 1)).fill(1);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[row * (columns + 1) + column] = data[row * columns + column]!;
  }
  return { data: out, rows, columns: columns + 1 };
}

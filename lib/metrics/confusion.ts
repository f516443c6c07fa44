/** Which classes are taken for which. */

/** Counts of true and predicted classes, and what follows from them. */
export interface Confusion {
  /** `counts[i][j]`: examples of class `i` that were taken for class `j`. */
  readonly counts: readonly (readonly number[])[];
  readonly accuracy: number;
  /** By class: the share of its examples found (NaN without examples), and the share of its predictions right (NaN without any). */
  readonly recall: readonly number[];
  readonly precision: readonly number[];
  /** By class: the harmonic mean of both; 0 when nothing was found. */
  readonly f1: readonly number[];
  /** The mean recall over classes that have examples. */
  readonly balancedAccuracy: number;
}

/**
 * Counts how often each class is taken for each other.
 *
 * `classes` is how many there are. The share of all predictions that fall on the classes of the last task (`recencyBias`) tells
 * how much a class-incremental learner favours what it saw last.
 *
 * @example
 * ```ts
 * import { confusion } from "thalweg";
 * const found = confusion([0, 0, 1, 1], [0, 1, 1, 1], 2);
 * found.counts; // [[1, 1], [0, 2]]
 * found.recall; // [0.5, 1]
 * ```
 */
export function confusion(labels: ArrayLike<number>, predictions: ArrayLike<number>, classes: number): Confusion {
  if (labels.length !== predictions.length) {
    throw new RangeError(
      `confusion: a prediction for each label is required, got ${labels.length} labels and ${predictions.length} predictions`,
    );
  }
  if (labels.length === 0) throw new RangeError("confusion: at least one label is required, got none");
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let index = 0; index < labels.length; index++) {
    const [truth, taken] = [labels[index]!, predictions[index]!];
    if (counts[truth]?.[taken] === undefined) {
      throw new RangeError(
        `confusion: classes from 0 to ${classes - 1} are required, got ${truth} taken for ${taken} at ${index}`,
      );
    }
    counts[truth][taken]!++;
  }
  const found = counts.map((row, label) => row[label]!);
  const own = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const taken = counts.map((_, label) => counts.reduce((sum, row) => sum + row[label]!, 0));
  const recall = found.map((count, label) => count / own[label]!);
  const met = recall.filter((value) => !Number.isNaN(value));
  return {
    counts,
    accuracy: found.reduce((sum, count) => sum + count, 0) / labels.length,
    recall,
    precision: found.map((count, label) => count / taken[label]!),
    f1: found.map((count, label) => (count === 0 ? 0 : (2 * count) / (own[label]! + taken[label]!))),
    balancedAccuracy: met.reduce((sum, value) => sum + value, 0) / met.length,
  };
}

/**
 * The share of predictions that fall on some classes, less the share of examples that belong to them: above 0, they are favoured.
 *
 * @example
 * ```ts
 * import { confusion, recencyBias } from "thalweg";
 * recencyBias(confusion([0, 0, 1, 1], [1, 1, 1, 1], 2), [1]); // 1 − 0.5 = 0.5
 * ```
 */
export function recencyBias({ counts }: Confusion, last: readonly number[]): number {
  const classes = new Set(last);
  let [total, taken, own] = [0, 0, 0];
  for (const [label, row] of counts.entries()) {
    for (const [prediction, count] of row.entries()) {
      total += count;
      if (classes.has(prediction)) taken += count;
      if (classes.has(label)) own += count;
    }
  }
  return (taken - own) / total;
}

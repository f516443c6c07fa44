/** How well classes lie apart in a space of features, with labels and without. */
import { type Matrix, requireMatrix } from "./parts/linear-algebra.ts";

/**
 * Fisher's ratio: the scatter between class means over the scatter within classes, `tr(S_B) / tr(S_W)`.
 *
 * 0 when all classes have one mean; infinite when classes are points.
 *
 * @example
 * ```ts
 * import { fisherRatio } from "thalweg";
 * fisherRatio({ data: [0, 2, 10, 12], rows: 4, columns: 1 }, [0, 0, 1, 1]); // 2·(2·5²) / (4·1²) = 25
 * ```
 */
export function fisherRatio(features: Matrix, labels: ArrayLike<number>): number {
  requireMatrix("fisherRatio", features);
  const { data, rows, columns } = features;
  if (labels.length !== rows)
    throw new RangeError(`fisherRatio: a label for each of ${rows} examples is required, got ${labels.length}`);
  const groups = new Map<number, { count: number; sum: Float64Array }>();
  const whole = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const group = groups.get(labels[row]!) ?? { count: 0, sum: new Float64Array(columns) };
    group.count++;
    for (let column = 0; column < columns; column++) {
      group.sum[column]! += data[row * columns + column]!;
      whole[column]! += data[row * columns + column]! / rows;
    }
    groups.set(labels[row]!, group);
  }
  let [between, within] = [0, 0];
  for (const { count, sum } of groups.values()) {
    for (const [column, total] of sum.entries()) between += count * (total / count - whole[column]!) ** 2;
  }
  for (let row = 0; row < rows; row++) {
    const { count, sum } = groups.get(labels[row]!)!;
    for (let column = 0; column < columns; column++)
      within += (data[row * columns + column]! - sum[column]! / count) ** 2;
  }
  return between / within;
}

/** When the connected components of a cloud of points merge, as balls around the points grow. */
export interface Persistence {
  /** The lengths at which components merge, shortest first: the edges of the minimum spanning tree; one fewer than points. */
  readonly times: readonly number[];
  /** The mean of the times over the longest: small when most points lie in a few dense, well separated clusters. */
  readonly score: number;
}

/**
 * Class separability without labels: the zero-dimensional persistent homology of features.
 *
 * The distance is Euclidean; normalise rows first where only directions matter. O(n²) time for n examples.
 * Gourgoulias et al. 2023, "Estimating class separability of text embeddings with persistent homology", arXiv:2305.15016.
 * Differs from the paper: the score is the plain mean of the normalised times.
 *
 * Implements: P311 Topological class separability
 *
 * @example
 * ```ts
 * import { persistence } from "thalweg";
 * persistence({ data: [0, 1, 10, 11], rows: 4, columns: 1 }).times; // [1, 1, 9]: two clusters
 * ```
 */
export function persistence(features: Matrix): Persistence {
  requireMatrix("persistence", features);
  const { data, rows, columns } = features;
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  const joined = new Uint8Array(rows);
  const times: number[] = [];
  let current = 0;
  for (let edge = 1; edge < rows; edge++) {
    joined[current] = 1;
    let next = -1;
    for (let row = 0; row < rows; row++) {
      if (joined[row]) continue;
      let squared = 0;
      for (let column = 0; column < columns; column++)
        squared += (data[row * columns + column]! - data[current * columns + column]!) ** 2;
      nearest[row] = Math.min(nearest[row]!, Math.sqrt(squared));
      if (next < 0 || nearest[row]! < nearest[next]!) next = row;
    }
    times.push(nearest[next]!);
    current = next;
  }
  times.sort((a, b) => a - b);
  const longest = times.at(-1) ?? 0;
  return { times, score: longest === 0 ? 0 : times.reduce((sum, time) => sum + time / longest, 0) / times.length };
}

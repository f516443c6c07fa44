/** Whether two networks, or one network before and after, represent the same things. */

import { assignment } from "./parts/assignment.ts";
import { centred, crossProduct, type Matrix, requireMatrix } from "./parts/linear-algebra.ts";
import { mean } from "./parts/summaries.ts";

/**
 * Linear centred kernel alignment of two representations of the same examples: 1 the same up to rotation and scale, 0 unrelated.
 *
 * `‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖)` with centred columns and Frobenius norms. A row per example in both; the numbers of features may differ.
 * Kornblith et al. 2019, arXiv:1905.00414, section 3.
 *
 * @example
 * ```ts
 * import { cka } from "thalweg";
 * const x = { data: [1, 0, 0, 1, 1, 1], rows: 3, columns: 2 };
 * const turned = { data: [0, 1, -1, 0, -1, 1], rows: 3, columns: 2 };
 * cka(x, turned); // 1: a rotation changes nothing
 * ```
 */
export function cka(a: Matrix, b: Matrix): number {
  const [x, y] = aligned("cka", a, b);
  const [shared, own, other] = [crossProduct(x, y), crossProduct(x, x), crossProduct(y, y)].map(squaredNorm);
  return own === 0 || other === 0 ? 0 : shared! / Math.sqrt(own! * other!);
}

/**
 * How alike two representations of the same examples hold their likenesses: the correlation, over all pairs of examples, of the cosine of
 * the pair in one with that in the other. 1 the same, 0 unrelated.
 *
 * A row per example in both; the numbers of features may differ. Where all pairs are equally alike in one it is 0.
 * Representational similarity analysis, Kriegeskorte et al. 2008; cosines and Pearson's correlation as in Merchant et al. 2020, arXiv:2004.14448.
 *
 * @example
 * ```ts
 * import { rsa } from "thalweg";
 * const x = { data: [1, 0, 1, 1, 0, 2], rows: 3, columns: 2 };
 * const scaled = { data: [3, 0, 1, 1, 0, 1], rows: 3, columns: 2 };
 * rsa(x, scaled); // 1: no angle between two rows has changed
 * ```
 */
export function rsa(a: Matrix, b: Matrix): number {
  aligned("rsa", a, b);
  const [x, y] = [cosines(a), cosines(b)];
  const centre = (values: number[]): number[] => {
    const middle = mean(values);
    return values.map((value) => value - middle);
  };
  const [u, v] = [centre(x), centre(y)];
  const product = (p: number[], q: number[]): number => p.reduce((sum, value, i) => sum + value * q[i]!, 0);
  const size = Math.sqrt(product(u, u) * product(v, v));
  return size === 0 ? 0 : product(u, v) / size;
}

/** The cosine of every pair of rows, the first with the second and so on; 0 where a row is nothing. */
function cosines({ data, rows, columns }: Matrix): number[] {
  const units = Array.from({ length: rows }, (_, row) => {
    const own = Array.from({ length: columns }, (_, j) => data[row * columns + j]!);
    const length = Math.hypot(...own);
    return own.map((value) => (length === 0 ? 0 : value / length));
  });
  return units.flatMap((one, i) =>
    units.slice(0, i).map((other) => one.reduce((sum, value, j) => sum + value * other[j]!, 0)),
  );
}

/** How the units of two layers correspond. */
export interface Matching {
  /** The unit of the second layer that each unit of the first is matched with. */
  readonly partners: readonly number[];
  /** The correlation of each matched pair. */
  readonly correlations: readonly number[];
  /** The mean of them: how convergent the learning was. */
  readonly mean: number;
}

/**
 * Matches the units of two layers by the correlation of their responses to the same examples.
 *
 * `kind` is `bipartite` (the default): every unit has a partner of its own and the sum of correlations is the largest there is
 * (Hungarian method), or `semi`: every unit takes its best partner, which may be shared. The first layer may not have more units
 * than the second in a bipartite matching. Units that never vary correlate with nothing.
 * Li et al. 2016, "Convergent learning", arXiv:1511.07543, section 3.
 *
 * @example
 * ```ts
 * import { convergentMatching } from "thalweg";
 * const a = { data: [0, 1, 1, 0, 2, 5], rows: 3, columns: 2 };
 * const swapped = { data: [1, 0, 0, 1, 5, 2], rows: 3, columns: 2 };
 * convergentMatching(a, swapped).partners; // [1, 0]
 * ```
 */
export function convergentMatching(
  a: Matrix,
  b: Matrix,
  { kind = "bipartite" }: { kind?: "bipartite" | "semi" } = {},
): Matching {
  const [x, y] = aligned("convergentMatching", a, b);
  if (kind === "bipartite" && x.columns > y.columns) {
    throw new RangeError(
      `convergentMatching: at most as many units in the first layer as in the second are required, got ${x.columns} and ${y.columns}; swap them or match with kind "semi"`,
    );
  }
  const table = correlations(x, y);
  const partners =
    kind === "bipartite"
      ? assignment(table.map((row) => row.map((value) => -value)))
      : table.map((row) => row.indexOf(Math.max(...row)));
  const found = partners.map((partner, unit) => table[unit]![partner]!);
  return { partners, correlations: found, mean: mean(found) };
}

/** The correlation of every column of one centred matrix with every column of another. */
function correlations(x: Matrix, y: Matrix): number[][] {
  const shared = crossProduct(x, y);
  const spread = ({ data, columns }: Matrix): Float64Array => {
    const squares = new Float64Array(columns);
    for (let index = 0; index < data.length; index++) squares[index % columns]! += data[index]! ** 2;
    return squares.map(Math.sqrt);
  };
  const [a, b] = [spread(x), spread(y)];
  return Array.from(a, (own, i) =>
    Array.from(b, (other, j) => (own * other === 0 ? 0 : shared.data[i * y.columns + j]! / (own * other))),
  );
}

function aligned(name: string, a: Matrix, b: Matrix): [Matrix, Matrix] {
  requireMatrix(name, a);
  requireMatrix(name, b);
  if (a.rows !== b.rows) {
    throw new RangeError(
      `${name}: the same examples in both representations are required, got ${a.rows} and ${b.rows} rows; evaluate both on one set`,
    );
  }
  return [centred(a), centred(b)];
}

function squaredNorm({ data }: Matrix): number {
  let total = 0;
  for (let index = 0; index < data.length; index++) total += data[index]! ** 2;
  return total;
}

/**
 * Directions of a layer's inputs that past gradients used, kept as themselves or, once they are many, as those that are left: DualGPM (Liang
 * and Li 2023).
 */
import { symmetricEigen } from "../../engine/linear-algebra.ts";

/** Those that steps must not have ("remove"), or the only ones that they may have ("retain"); orthonormal. */
export interface Directions {
  readonly kind: "remove" | "retain";
  readonly rows: readonly Float64Array[];
}

/** The products of a matrix of `n` rows with the projection onto directions. */
function onto(matrix: Float64Array, n: number, rows: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(n * n);
  for (const row of rows)
    for (let j = 0; j < n; j++) {
      let along = 0;
      for (let i = 0; i < n; i++) along += row[i]! * matrix[i * n + j]!;
      for (let i = 0; i < n; i++) out[i * n + j]! += row[i]! * along;
    }
  return out;
}

/** Second moments of inputs without what steps must not have. */
export function without(moments: Float64Array, kept: Directions | undefined): Float64Array {
  if (kept === undefined) return moments;
  const n = Math.sqrt(moments.length);
  const part = onto(moments, n, kept.rows);
  return kept.kind === "retain" ? part : moments.map((v, i) => v - part[i]!);
}

/** The left singular directions of a matrix and its squared singular values, the largest first. */
function singular(matrix: Float64Array): { readonly rows: Float64Array[]; readonly squares: Float64Array } {
  const n = Math.sqrt(matrix.length);
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += matrix[i * n + k]! * matrix[j * n + k]!;
      gram[i * n + j] = gram[j * n + i] = sum;
    }
  const { values, vectors } = symmetricEigen(gram, n);
  return {
    rows: Array.from({ length: n }, (_, i) => vectors.slice(i * n, (i + 1) * n)),
    squares: values.map((v) => Math.max(0, v)),
  };
}

/** The left singular directions of a matrix with the largest singular values, up to `count`. */
export function strongest(matrix: Float64Array, count: number): readonly Float64Array[] {
  return singular(matrix).rows.slice(0, count);
}

/** The directions after inputs with these second moments, so that they hold `share` of the squares of their singular values. */
export function renewed(kept: Directions | undefined, moments: Float64Array, share: number): Directions {
  const n = Math.sqrt(moments.length);
  const total = singular(moments).squares.reduce((a, b) => a + b, 0) || 1;
  if (kept === undefined) {
    const { rows, squares } = singular(moments);
    let [held, count] = [0, 0];
    for (const square of squares) if ((held += square / total) < share) count++;
    return turned({ kind: "remove", rows: rows.slice(0, Math.max(1, count)) }, n);
  }
  const part = onto(moments, n, kept.rows);
  if (kept.kind === "remove") {
    const { rows, squares } = singular(moments.map((v, i) => v - part[i]!));
    const held = (total - squares.reduce((a, b) => a + b, 0)) / total;
    const added = rows.slice(
      0,
      countUntil(squares, total, held, (now) => now >= share),
    );
    return turned({ kind: "remove", rows: [...kept.rows, ...added].slice(0, n) }, n);
  }
  const { rows, squares } = singular(part);
  const held = squares.reduce((a, b) => a + b, 0) / total;
  const less = countUntil(squares, -total, held, (now) => now < 1 - share);
  const used = rows.slice(0, Math.min(less, kept.rows.length));
  return { kind: "retain", rows: remaining(kept.rows, used, n) };
}

/** How many shares of a total are added until it is enough. */
function countUntil(squares: Float64Array, total: number, held: number, enough: (held: number) => boolean): number {
  let [now, count] = [held, 0];
  while (count < squares.length && !enough(now)) now += squares[count++]! / total;
  return count;
}

/** Directions that are more than half as the others. */
function turned(kept: Directions, n: number): Directions {
  if (kept.rows.length <= n / 2) return kept;
  const unit = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => +(i === j)));
  return { kind: "retain", rows: remaining(unit, kept.rows, n) };
}

/** Orthonormal directions of the span of `rows` that are orthogonal to those that are used. */
function remaining(rows: readonly Float64Array[], used: readonly Float64Array[], n: number): Float64Array[] {
  const left = new Float64Array(n * n);
  for (const row of rows) for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) left[i * n + j]! += row[i]! * row[j]!;
  const part = onto(left, n, used);
  const { rows: found } = singular(left.map((v, i) => v - part[i]!));
  return found.slice(0, Math.max(0, rows.length - used.length));
}

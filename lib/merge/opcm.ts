import { singular } from "../engine/linear-algebra.ts";
import { merging, type Place, type Vector } from "./merging.ts";
import { norm, part, plus, sumOf } from "./parts/vectors.ts";

/**
 * OPCM: networks are merged one after the other; what a new one changes in a matrix is freed of what lies along the main directions of
 * what is merged already, and the whole is brought back to the mean length of the changes.
 *
 * With the singular vectors U, V of the merged change, of which the first r hold a share `alpha` of the singular values: of `Uᵀ Δ V` the
 * diagonal and the r × r block in the corner become 0. Convolutions count as matrices of windows; vectors are added as they are.
 *
 * Implements: P066 OPCM
 *
 * Tang et al. 2025, arXiv:2501.09522, section 4, eq. 5–10 and algorithm 1; as in its program lengths are those of the whole network.
 * Differs from the paper: directions in which the merged change is nothing are not chosen arbitrarily, so nothing along them is removed.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.opcm(); // { rule: "opcm", options: { alpha: 0.5 } }
 * ```
 */
export const opcm = merging(
  "opcm",
  {
    /** The share of the singular values whose directions are protected as a block. */
    alpha: 0.5,
  },
  {
    needsBase: true,
    next(held, vector, { options: { alpha }, places }) {
      const length = norm(vector);
      if (held === null) return { merged: vector, lambda: 1, lengths: length, count: 1 };
      const { merged: before, lambda, lengths, count } = held as typeof held & { [name: string]: number };
      const cleaned = vector.slice();
      for (const place of places)
        if (isMatrix(place)) cleaned.set(freed(part(vector, place), part(before, place), place, alpha), place.from);
      const sum = sumOf([before, cleaned], [lambda!, 1]);
      const mean = (lengths! + length) / (count! + 1);
      const next = norm(sum) / mean;
      const merged = sum.map((x) => x / (next || 1));
      return { merged, lambda: next, lengths: lengths! + length, count: count! + 1 };
    },
  },
);

const isMatrix = ({ kind, shape }: Place): boolean => kind === "weight" && shape.length >= 2;

/** A change without what lies along the directions of the one before. */
function freed(change: Vector, before: Vector, { shape, size }: Place, alpha: number): Vector {
  const columns = shape.at(-1)!;
  const rows = size / columns;
  const { values, left, right } = singular(before, rows, columns);
  if (values.length === 0) return change;
  const total = values.reduce((a, b) => a + b, 0);
  let sum = 0;
  const over = values.findIndex((value) => (sum += value) / total > alpha);
  const block = Math.max(over, 0);
  let out = change;
  for (const [i, u] of left.entries()) {
    const along = new Float64Array(columns); // uᵢᵀ Δ
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) along[c]! += u[r]! * change[r * columns + c]!;
    for (const [j, v] of right.entries()) {
      if (i !== j && (i >= block || j >= block)) continue;
      const weight = v.reduce((dot, x, c) => dot + x * along[c]!, 0);
      out = plus(
        out,
        out.map((_, k) => u[Math.floor(k / columns)]! * v[k % columns]!),
        -weight,
      );
    }
  }
  return out;
}

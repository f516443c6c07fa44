import { merging, type Vector } from "./merging.ts";
import { part, sumOf } from "./parts/vectors.ts";

/**
 * Model breadcrumbs: of each tensor's changes neither the largest nor the smallest count, and the others are added up.
 *
 * Davari and Belilovsky 2023, arXiv:2312.06795, section 3 and eq. 1–2, with the shares of its vision tasks.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.breadcrumbs({ scale: 0.5 }).options; // { smallest: 0.85, largest: 0.007, scale: 0.5 }
 * ```
 */
export const breadcrumbs = merging(
  "breadcrumbs",
  {
    /** The share of each tensor's changes that is too small to count. */
    smallest: 0.85,
    /** The share that is too large. */
    largest: 0.007,
    /** What the sum is multiplied by. */
    scale: 0.3,
  },
  {
    needsBase: true,
    combine(vectors, { options: { smallest, largest, scale }, places }) {
      const masked = vectors.map((vector) => {
        const out = new Float64Array(vector.length);
        for (const place of places) out.set(between(part(vector, place), smallest, largest), place.from);
        return out;
      });
      return sumOf(
        masked,
        masked.map(() => scale),
      );
    },
  },
);

/** A vector without its smallest and largest numbers. */
function between(vector: Vector, smallest: number, largest: number): Vector {
  const order = Array.from(vector.keys()).sort((i, j) => Math.abs(vector[i]!) - Math.abs(vector[j]!));
  const out = new Float64Array(vector.length);
  const [from, to] = [Math.floor(vector.length * smallest), vector.length - Math.floor(vector.length * largest)];
  for (const i of order.slice(from, to)) out[i] = vector[i]!;
  return out;
}

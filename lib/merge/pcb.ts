import { merging, type Vector } from "./merging.ts";
import { ranked } from "./parts/sparse.ts";

/**
 * PCB: parameters compete. Each change is scored by how large it is among its network's and by how well it agrees with the sum of all
 * networks' changes; the best stay, weighted by their scores.
 *
 * With n networks: `β = exp(n · |δ|²) · tanh(δ · Σ δ)`, |δ| brought to [0, 1]; of each network's scores all but a share `ratio` become 0, the
 * others go to [0, 1], and the merged change is the mean of the changes weighted by them.
 *
 * Implements: P358 PCB-Merging
 *
 * Du et al. 2024, arXiv:2410.02396, eq. 1–5. As in its program the largest and smallest 0.01 % of |δ| are clamped.
 * Differs from the paper: one scale for all networks, without its evolutionary search.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.pcb(); // { rule: "pcb", options: { ratio: 0.1, scale: 1 } }
 * ```
 */
export const pcb = merging(
  "pcb",
  {
    /** The share of each network's changes that stays. */
    ratio: 0.1,
    /** What the merged change is multiplied by. */
    scale: 1,
  },
  {
    needsBase: true,
    combine(vectors, { options: { ratio, scale } }) {
      const n = vectors.length;
      const sizes = vectors.map((vector) => clamped(vector.map(Math.abs), 1e-4, 1e-4));
      const sum = vectors[0]!.map((_, i) => vectors.reduce((all, vector) => all + vector[i]!, 0));
      const weights = vectors.map((vector, k) => {
        const own = unit(sizes[k]!);
        const scores = vector.map((x, i) => Math.exp(n * own[i]! ** 2) * Math.tanh(x * sum[i]!));
        return unit(clamped(scores, 1 - ratio, 0));
      });
      return sum.map((_, i) => {
        const all = weights.reduce((total, weight) => total + weight[i]!, 0);
        const mean = vectors.reduce((m, vector, k) => m + Math.sign(vector[i]!) * sizes[k]![i]! * weights[k]![i]!, 0);
        return (scale * mean) / Math.max(all, 1e-12);
      });
    },
  },
);

/** Numbers no smaller than a share of them is, and no larger than all but a share is. */
function clamped(vector: Vector, low: number, high: number): Vector {
  const d = vector.length;
  const least = ranked(vector, Math.floor(d * low));
  const most = ranked(vector, Math.max(0, Math.floor(d * (1 - high) - 1)));
  return vector.map((x) => Math.min(Math.max(x, least), most));
}

/** Numbers from 0 to 1. */
function unit(vector: Vector): Vector {
  const [least, most] = vector.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
  return vector.map((x) => (most > least ? (x - least) / (most - least) : 0));
}

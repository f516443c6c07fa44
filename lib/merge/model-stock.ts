import { merging } from "./merging.ts";
import { dot, norm, part, sumOf } from "./parts/vectors.ts";

/**
 * Model stock: every tensor lies between the base and the mean of the networks, the nearer to the mean the more the networks' changes
 * point the same way: `w = t · w̄ + (1 − t) · w₀` with `t = n cos θ / (1 + (n − 1) cos θ)`.
 *
 * Of more than two networks cos θ is the mean over all pairs.
 *
 * Jang, Yun and Han 2024, arXiv:2403.19522, eq. 2 and 6.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.modelStock(); // { rule: "modelStock", options: {} }
 * ```
 */
export const modelStock = merging(
  "modelStock",
  {},
  {
    needsBase: true,
    combine(vectors, { places }) {
      const n = vectors.length;
      if (n < 2) throw new RangeError(`merge.modelStock: at least two networks are required, got ${n}`);
      const out = new Float64Array(vectors[0]!.length);
      for (const place of places) {
        const own = vectors.map((vector) => part(vector, place));
        const cosines = own.flatMap((a, i) =>
          own.slice(i + 1).map((b) => dot(a, b) / Math.max(norm(a) * norm(b), 1e-12)),
        );
        const cosine = cosines.reduce((a, b) => a + b, 0) / cosines.length;
        const t = (n * cosine) / (1 + (n - 1) * cosine);
        out.set(
          sumOf(
            own,
            own.map(() => t / n),
          ),
          place.from,
        );
      }
      return out;
    },
  },
);

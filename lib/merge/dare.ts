import { needOneOf } from "../data/options.ts";
import { merging } from "./merging.ts";
import { electedSigns, meanOfSigns } from "./parts/sparse.ts";
import { sumOf } from "./parts/vectors.ts";

/**
 * DARE: most of each network's changes are dropped at random, those that stay are made larger by as much, and what is left is added up, or
 * merged by elected signs.
 *
 * Yu et al. 2023, "Language models are super Mario", arXiv:2311.03099, eq. 1–3.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.dare({ drop: 0.8, by: "ties" }).options; // { drop: 0.8, by: "ties", scale: 1 }
 * ```
 */
export const dare = merging(
  "dare",
  {
    /** The share of changes that is dropped. */
    drop: 0.9,
    /** How what is left is merged: added up, or the mean of those with the elected sign. */
    by: "sum" as "sum" | "ties",
    /** What the merged change is multiplied by. */
    scale: 1,
  },
  {
    needsBase: true,
    combine(vectors, { options: { drop, by, scale }, rng }) {
      needOneOf("merge.dare", "by", by, ["sum", "ties"]);
      if (!(drop >= 0 && drop < 1)) throw new RangeError(`merge.dare: drop must be a share in [0, 1), got ${drop}`);
      const left = vectors.map((vector, k) => {
        const own = rng.at("drop", k);
        return vector.map((x) => (own.uniform() < drop ? 0 : x / (1 - drop)));
      });
      const merged = by === "sum" ? sumOf(left) : meanOfSigns(left, electedSigns(left));
      return merged.map((x) => x * scale);
    },
  },
);

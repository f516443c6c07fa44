import { merging } from "./merging.ts";
import { electedSigns, largest, meanOfSigns } from "./parts/sparse.ts";

/**
 * TIES: of each network's changes the largest stay, each parameter elects the sign with the greater mass, and the mean of the changes that
 * have it is added to the base.
 *
 * Yadav et al. 2023, arXiv:2306.01708, section 3.1 and algorithm 1. As in its program a share is of all parameters together, changes as large
 * as the last that stays do too, and a sum of 0 has the sign that most parameters have.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.ties().options; // { density: 0.2, scale: 1 }
 * ```
 */
export const ties = merging(
  "ties",
  {
    /** The share of each network's changes that stays. */
    density: 0.2,
    /** What the merged change is multiplied by. */
    scale: 1,
  },
  {
    needsBase: true,
    combine(vectors, { options: { density, scale } }) {
      const trimmed = vectors.map((vector) => largest(vector, density));
      return meanOfSigns(trimmed, electedSigns(trimmed)).map((x) => x * scale);
    },
  },
);

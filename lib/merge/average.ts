import { merging } from "./merging.ts";
import { sumOf } from "./parts/vectors.ts";

/**
 * The mean of the networks: `θ = 1/n · Σ θᵢ`.
 *
 * Wortsman et al. 2022, "Model soups", arXiv:2203.05482, section 2 (the uniform soup).
 *
 * @example
 * ```ts
 * import { merge, mlp, network, random, trained } from "thalweg";
 * const made = (seed: number) =>
 *   trained({ model: mlp({ hidden: [4] }), input: [3], weights: network(mlp({ hidden: [4] }), [3]).init(random(seed), 2) });
 * merge.average([made(0), made(1)]).report.parameters; // 26
 * ```
 */
export const average = merging(
  "average",
  {},
  {
    needsBase: false,
    next(held, vector) {
      const count = ((held?.count as number | undefined) ?? 0) + 1;
      const merged = held === null ? vector : sumOf([held.merged, vector], [(count - 1) / count, 1 / count]);
      return { merged, count };
    },
  },
);

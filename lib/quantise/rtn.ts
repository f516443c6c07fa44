import { gridDefaults, rounded } from "./parts/codes.ts";
import { quantising } from "./quantising.ts";

/**
 * Rounding to nearest: the range of what each unit weighs, or of each group of its inputs, in equal parts, and every number to the nearest.
 *
 * Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference", arXiv:1712.05877,
 * equation 1, for each unit by itself.
 *
 * @example
 * ```ts
 * import { mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const big = trained({ model, input: [16], weights: network(model, [16]).init(random(0), 3) });
 * const { bytes } = quantise.rtn(big, { bits: 4 }).report;
 * [bytes.before, bytes.after]; // [652, 240]
 * ```
 */
export const rtn = quantising("rtn", gridDefaults, {
  needsData: false,
  layer: ({ kernel, ...place }, grid) => rounded(kernel, place, grid),
});

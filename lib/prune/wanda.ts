import { squaresOf } from "../models/parts/kernel-layers.ts";
import { amountDefaults, kept, masked } from "./parts/masks.ts";
import { pruning } from "./pruning.ts";

/**
 * Wanda: of what each unit weighs, the numbers go whose size times the length of their input over the examples is smallest:
 * `|W| · ‖X‖₂`. No weight is changed otherwise.
 *
 * Sun et al. 2023, "A simple and effective pruning approach for large language models", arXiv:2306.11695, equation 1 and algorithm 1.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 4 }).train;
 * const big = trained({ model, input: [4], weights: network(model, [4]).init(random(0), 3) });
 * prune.wanda(big, data, { pattern: "2:4" }).report.sparsity; // 0.5
 * ```
 */
export const wanda = pruning("wanda", amountDefaults, {
  needsData: true,
  layer({ kernel, rows, ...place }, amount) {
    const lengths = squaresOf(rows(), place.inputs).map(Math.sqrt);
    const scores = kernel.map((w, i) => Math.abs(w) * lengths[Math.floor(i / place.units)]!);
    return masked(kernel, kept("prune.wanda", scores, place, amount, "unit"));
  },
});

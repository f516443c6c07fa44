import { needWhole } from "../data/options.ts";
import { inverseFactor } from "../models/parts/inverse-factor.ts";
import { amountDefaults, kept, patternOf } from "./parts/masks.ts";
import { pruning } from "./pruning.ts";

/**
 * SparseGPT: inputs are gone through one after the other; what a unit loses with a number that becomes 0 goes to its numbers for the inputs
 * behind, by the inverse of the inputs' Gram matrix, so that the layer answers nearly as before.
 *
 * Of each block of inputs the share of numbers goes that costs least, `w² / U[i, i]²`; U is the factor of the inverse.
 *
 * Frantar and Alistarh 2023, "SparseGPT: massive language models can be accurately pruned in one-shot", arXiv:2301.00774, algorithm 1, with
 * the damping of the authors' program.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 4 }).train;
 * const big = trained({ model, input: [4], weights: network(model, [4]).init(random(0), 3) });
 * const { report } = prune.sparseGpt(big, data, { sparsity: 0.5 });
 * report.layers[0].error < prune.wanda(big, data, { sparsity: 0.5 }).report.layers[0].error; // true
 * ```
 */
export const sparseGpt = pruning(
  "sparseGpt",
  {
    ...amountDefaults,
    /** Inputs whose numbers are chosen together. */
    block: 128,
    /** What is added to the diagonal of the Gram matrix, in shares of its mean. */
    damp: 0.01,
  },
  {
    needsData: true,
    layer({ kernel, rows, inputs, units }, { block, damp, ...amount }) {
      needWhole("prune.sparseGpt", "block", block);
      const { upper, dead } = inverseFactor(rows(), inputs, damp);
      const w = kernel.map((value, at) => (dead[Math.floor(at / units)] === 1 ? 0 : value));
      const [, of] = patternOf("prune.sparseGpt", amount.pattern) ?? [0, block];
      let mask = new Uint8Array(0);
      for (let i = 0; i < inputs; i++) {
        const from = i - (i % of);
        const pivot = upper[i * inputs + i]!;
        if (i === from) {
          const count = Math.min(of, inputs - from);
          const costs = w.slice(from * units, (from + count) * units).map((value, at) => {
            const row = from + Math.floor(at / units);
            return (value / upper[row * inputs + row]!) ** 2;
          });
          mask = kept("prune.sparseGpt", costs, { inputs: count, units }, amount, "layer");
        }
        for (let unit = 0; unit < units; unit++) {
          if (mask[(i - from) * units + unit] === 1) continue;
          const lost = w[i * units + unit]! / pivot;
          w[i * units + unit] = 0;
          for (let k = i + 1; k < inputs; k++) w[k * units + unit]! -= lost * upper[i * inputs + k]!;
        }
      }
      return w;
    },
  },
);

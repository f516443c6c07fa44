import { needOneOf } from "../data/options.ts";
import type { Matrix } from "../models/parts/kernel-layers.ts";
import { amountDefaults, kept, masked } from "./parts/masks.ts";
import { pruning } from "./pruning.ts";

/**
 * The numbers that are smallest in size become 0: those of all kernels together, or the same share of each.
 *
 * Han et al. 2015, "Learning both weights and connections for efficient neural networks", arXiv:1506.02626, section 3.
 *
 * @example
 * ```ts
 * import { mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const big = trained({ model, input: [4], weights: network(model, [4]).init(random(0), 3) });
 * prune.magnitude(big, { sparsity: 0.75 }).report.layers[0].sparsity; // 0.75
 * ```
 */
export const magnitude = pruning(
  "magnitude",
  {
    ...amountDefaults,
    /** "network": of all kernels together; "layer": of each the same share; "unit": of what each unit weighs the same share. */
    within: "network",
  },
  {
    needsData: false,
    all(layers, { within, ...amount }) {
      needOneOf("prune.magnitude", "within", within, ["network", "layer", "unit"]);
      const sizes = layers.map(({ kernel }) => kernel.map(Math.abs));
      if (within !== "network" || amount.pattern !== "")
        return layers.map((layer, i) =>
          masked(layer.kernel, kept("prune.magnitude", sizes[i]!, layer, amount, within === "unit" ? "unit" : "layer")),
        );
      const together = new Float64Array(sizes.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const own of sizes) {
        together.set(own, at);
        at += own.length;
      }
      const mask = kept("prune.magnitude", together, { inputs: together.length, units: 1 }, amount, "layer");
      at = 0;
      return layers.map(({ kernel }): Matrix => {
        at += kernel.length;
        return masked(kernel, mask.subarray(at - kernel.length, at));
      });
    },
  },
);

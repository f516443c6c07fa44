import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { aggregated, aggregateParams } from "../../parts/dense-depth.ts";
import { leave, leftBy } from "../../parts/depths.ts";

/**
 * The mean of what came into all `mudd` blocks before and of what the last one gave, weighed anew at every place: what leaves such a model.
 *
 * Xiao et al. 2025, arXiv:2502.12170, section 2.2.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).mudd(4).mudd(4).muddOutput().features([32]); // [32, 48]
 * ```
 */
export const muddOutput = sameLayer(
  "muddOutput",
  () => ({
    options: {},
    byPlace: true,
    shape(input, remembered) {
      if (leftBy("mudd", remembered).length === 0)
        throw new RangeError("muddOutput: blocks of mudd before it are required, got none; put mudd(heads) before");
      return input;
    },
    init: (rng, input, remembered) => aggregateParams(rng, input[1]!, 1, leftBy("mudd", remembered).length + 1),
    apply: (x, params, mode, remembered = new Map()) =>
      aggregated(leave("mudd", x, remembered), params as Params, mode)[0]!,
  }),
  ["sequence"],
);

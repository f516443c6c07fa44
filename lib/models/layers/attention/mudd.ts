import type { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { wholeOrPiece } from "../../parts/attending.ts";
import { type BlockOptions, blockOf, enteringAs, streamNames } from "../../parts/block.ts";
import { aggregated, aggregateParams } from "../../parts/dense-depth.ts";
import { leave, leftBy } from "../../parts/depths.ts";

/** Options of `mudd`: those of a block of a transformer. */
export interface MuddOptions extends BlockOptions {}

/**
 * A block of a transformer whose queries, keys, values and what passes by are each a mean of what all `mudd` blocks before took in, weighed anew at every place.
 *
 * With X₁ … X_i what came into the blocks up to this one, stream c is `Σ_j a_cj(X_i) X_j`, where `a(X) = W₂ gelu(W₁ X / rms(X)) + b`, W₁ is as wide as there are numbers
 * in a. W₂ begins as 0 and b takes the last: the model begins as if there were no such connections. The first block is as `transformer`. `muddOutput`
 * after the last block does the same for what leaves the model.
 *
 * Implements: P152 MUDDFormer
 * Xiao et al. 2025, arXiv:2502.12170, sections 2.2 and 2.3, equations 3 to 7, and the authors' program, with a normalisation for each of query, key and value.
 * Differs from the paper: dense layers are equally wide at all depths; give blocks a `widen` that grows, ½ to 1½ of the usual, for theirs.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).mudd(4).mudd(4).muddOutput().layerNorm().features([32]); // [32, 48]
 * ```
 */
export const mudd = sameLayer(
  "mudd",
  (heads: number, options: MuddOptions = {}) => {
    const block = blockOf("mudd", heads, options);
    return {
      options: block.options,
      shape(input, remembered = new Map()) {
        block.fits(input);
        leave<readonly number[]>("mudd", input, remembered);
        return input;
      },
      init(rng, input, remembered): Params {
        const count = leftBy("mudd", remembered).length + 1;
        if (count === 1) return block.init(rng, input);
        return {
          ...block.init(rng, input, true),
          depth: aggregateParams(rng.at("depth"), input[1]!, streamNames.length + 1, count),
        };
      },
      ...wholeOrPiece(block.goesOn, (x, params, mode, going, remembered) => {
        const all = leave("mudd", x, remembered);
        if (all.length === 1) return block.run(enteringAs(x), params, mode, { going });
        const [query, key, value, passing] = aggregated(all, params.depth as Params, mode.at("depth")) as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        return block.run({ query, key, value, passing }, params, mode, { going });
      }),
    };
  },
  ["sequence"],
);

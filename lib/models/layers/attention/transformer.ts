import { sameLayer } from "../../layer.ts";
import { wholeOrPiece } from "../../parts/attending.ts";
import { type BlockOptions, blockOf, enteringAs } from "../../parts/block.ts";

/** Options of `transformer`: of its attention, of its dense layers, and how both are put together. */
export interface TransformerOptions extends BlockOptions {}

/**
 * One block of a transformer: attention of `heads` heads and two dense layers, each normalised before and added to what came in.
 *
 * `x + A(norm(x))`, then `x + W₂ gelu(W₁ norm(x))`; with `norm: "after"` it is `norm(x + A(x))`, then `norm(x + W₂ gelu(W₁ x))`. A is `attention`, the dense
 * layers are `feedForward`; their options are the block's. Vaswani et al. 2017, section 3; normalised before as in GPT-2 (Radford et al. 2019).
 *
 * Llama's blocks are `{ positions: "rotary", normalisation: "rms", activation: "swiglu", bias: "none" }`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).transformer(4).transformer(4).layerNorm().features([32]); // [32, 48]
 * net().transformer(4, { kvHeads: 1, positions: "rotary", normalisation: "rms", activation: "swiglu" }).features([32, 48]); // [32, 48]
 * ```
 */
export const transformer = sameLayer(
  "transformer",
  (heads: number, options: TransformerOptions = {}) => {
    const block = blockOf("transformer", heads, options);
    return {
      options: block.options,
      shape(input) {
        block.fits(input);
        return input;
      },
      init: (rng, input) => block.init(rng, input),
      ...wholeOrPiece(block.goesOn, (x, params, mode, going) => block.run(enteringAs(x), params, mode, { going })),
    };
  },
  ["sequence"],
);

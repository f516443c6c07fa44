import type { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { still } from "../../parts/gradients.ts";
import { requireRows } from "../../parts/mixture.ts";
import { preGateName } from "../../parts/pre-gated.ts";
import { product, productParams } from "../../parts/product.ts";
import { transformer } from "../attention/transformer.ts";
import { layerNorm } from "../norm/layer-norm.ts";

/** Options of `preGate`. */
export interface PreGateOptions {
  /** Heads of its block. Default 1. */
  readonly heads?: number;
  /** Whether a place sees only those before it. Default false. */
  readonly causal?: boolean;
}

/**
 * One router for all layers of experts that come after it: a block of attention says for each place which expert it goes to, before the first of them is
 * computed. What comes in goes on as it is, and learns nothing of the router.
 *
 * Sequences `[n, length, d]` keep their shape; `gatedUnits` read the logits `[n, length, experts]`. Cai et al. 2024, arXiv:2410.19123, section 3: the pre-gating router.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(8).preGate(2).residual((n) => n.layerNorm().gatedUnits([[0, 1], [1, 2]])).features([4, 3]); // [4, 8]
 * ```
 */
export const preGate = sameLayer(
  "preGate",
  (experts: number, { heads = 1, causal = false }: PreGateOptions = {}) => {
    requireCount("preGate", "experts", experts);
    const block = transformer(heads, { causal, widen: 2 });
    const norm = layerNorm();
    return {
      options: { experts, heads, causal },
      shape(input, remembered) {
        requireRows("preGate", input);
        remembered?.set(preGateName, [input[0]!, experts]);
        return input;
      },
      init: (rng, input): Params => ({
        block: block.init!(rng.at("block"), input),
        norm: norm.init!(rng.at("norm"), input),
        gate: productParams(rng.at("gate"), input[1]!, experts),
      }),
      apply(x, params, mode, remembered) {
        const seen = block.apply(still(x), params.block as Params, mode.at("block"));
        const normal = norm.apply(seen, params.norm as Params, mode.at("norm"));
        remembered?.set(preGateName, product(normal, params, "gate", mode) as tf.Tensor);
        return x;
      },
    };
  },
  ["sequence"],
);

import { needWhole } from "../../../data/options.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import { shortConv, shortConvParams } from "../../parts/short-conv.ts";

/** Options of `causalConv`. */
export interface CausalConvOptions {
  /** Places from one number of a filter to the next. Default 1. */
  readonly dilation?: number;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/**
 * A convolution of each channel by itself along a sequence, which sees a place and the `size − 1` before it: `[length, units]` keeps its shape.
 *
 * Before the first place there are zeros. Short ones (4 places) stand before the layers of linear attention and state spaces. Weights begin as PyTorch's.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().causalConv(4).silu().gla(4)).features([100]); // [100, 32]
 * ```
 */
export const causalConv = sameLayer(
  "causalConv",
  (size: number, { dilation = 1, bias = true }: CausalConvOptions = {}) => {
    requireCount("causalConv", "size", size);
    needWhole("causalConv", "dilation", dilation);
    return {
      options: { size, ...(dilation !== 1 && { dilation }), ...(!bias && { bias }) },
      shape(input) {
        if (input.length !== 2)
          throw new RangeError(
            `causalConv: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
          );
        return input;
      },
      init: (rng, [, units]) => shortConvParams(rng, units!, size, bias),
      apply: (x, params) => shortConv(x, params, null, null, dilation)[0],
      recurs(x, params, _mode, states, keep) {
        const [y, window] = shortConv(x, params, states?.[0] ?? null, keep, dilation);
        return [y, size === 1 ? [] : [window]];
      },
    };
  },
  ["sequence"],
);

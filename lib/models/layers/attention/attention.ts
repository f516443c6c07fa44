import { sameLayer } from "../../layer.ts";
import { type AttendOptions, attending, wholeOrPiece } from "../../parts/attending.ts";
import { dropout } from "../basic/dropout.ts";

/** Options of `attention`. */
export interface AttentionOptions extends AttendOptions {
  /** Share of numbers set to 0 in training at its end. Default 0. */
  readonly dropout?: number;
}

/**
 * Attention of `heads` heads over a sequence: each place has a mean of the values of the places it sees, weighed by how their keys meet its query.
 *
 * Sequences `[length, units]` keep their shape; the heads divide the units. It neither normalises nor adds what came in: `transformer` does, and
 * `residual` around it does as well. Vaswani et al. 2017, section 3.2.
 *
 * With `kvHeads: 1` all heads share one head of keys and values, and a cache of what was seen is as many times smaller; between 1 and `heads` it
 * is grouped.
 *
 * With `shards` a head sees beyond its window one piece of so many alone, each head others: together they see all, and each has as many times fewer
 * scores.
 *
 * Implements: P113 Multi-query attention
 * Shazeer 2019, arXiv:1911.02150, section 3: `kvHeads: 1`. Groups: Ainslie et al. 2023, arXiv:2305.13245. Rotary positions: Su et al. 2021,
 * arXiv:2104.09864. Biases for the distance: Press et al. 2022, arXiv:2108.12409. Normalised queries and keys: Dehghani et al. 2023,
 * arXiv:2302.05442, section 2. Windows: Beltagy et al. 2020, arXiv:2004.05150, section 3.1.
 *
 * Implements: P286 S2-Attention
 * Lin et al. 2024, "Efficient LLM training and serving with heterogeneous context sharding among attention heads", arXiv:2407.17678, section 3: `shards`, with the
 * authors' order of heads. Differs from the paper: scores that are not seen are hidden, not left out, so that nothing is faster.
 *
 * @throws RangeError when heads do not divide the width, or kvHeads the heads.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const block = net().residual((n) => n.rmsNorm().attention(8, { kvHeads: 2, positions: "rotary" }));
 * block.features([10, 32]); // [10, 32]
 * ```
 */
export const attention = sameLayer(
  "attention",
  (heads: number, { dropout: share = 0, ...rest }: AttentionOptions = {}) => {
    const own = attending("attention", heads, rest);
    const drop = dropout(share);
    return {
      options: { heads, causal: own.causal, ...own.said, ...(share !== 0 && { dropout: share }) },
      shape(input) {
        own.fits(input);
        return input;
      },
      init: (rng, [, units]) => own.init(rng, units!),
      ...wholeOrPiece(own.goesOn, (x, params, mode, going) => {
        const [seen, after] = own.attend({ query: x, key: x, value: x }, params, mode, { going });
        return [drop.apply(seen, {}, mode), after];
      }),
    };
  },
  ["sequence"],
);

import { needWhole } from "../../../data/options.ts";
import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { decayedSum, decayedSums, leastDecay } from "../../parts/chunks.ts";
import { product, productParams } from "../../parts/product.ts";
import { byHeads, kernelParams, mixing, projected, requireHeads, rootMeanFactor } from "../../parts/stateful.ts";

/** Options of `gla`. */
export interface GlaOptions {
  /** Width of queries and keys, in widths of the sequence. Default 0.5. */
  readonly keys?: number;
  /** Width in the middle of the two products that the decays come from. Default 16. */
  readonly rank?: number;
  /** What the logarithms of the decays are divided by. Default 16. */
  readonly temperature?: number;
}

/**
 * Gated linear attention: each head holds a matrix of which every row decays as the input says, and to which a key times a value is added.
 *
 * `S ← diag(α) S + k vᵀ`, `o = Sᵀ q / √d`, `α = σ(W₂ W₁ x + b)^(1/16)`; what is read is normalised by head, gated by `silu(W x)` and multiplied once more. All places
 * at once are products of matrices in chunks of 16 places; `stepping` goes place by place. Sequences of vectors keep their shape. On one thread a step of training takes 20 ms for
 * 4 sequences of 1,024 places, 64 wide, and PyTorch's best chunks of the same program 21.
 *
 * Implements: P168 GLA (Gated Linear Attention)
 * Yang et al. 2024, "Gated linear attention transformers with hardware-efficient training", arXiv:2312.06635, sections 4.3 and 4.4; sizes and beginnings as in the
 * authors' flash-linear-attention.
 * Differs from the paper: one level of chunks, in which no decay is below e⁻¹⁰.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().gla(4)).features([100]); // [100, 32]
 * ```
 */
export const gla = sameLayer(
  "gla",
  (heads: number, { keys = 0.5, rank = 16, temperature = 16 }: GlaOptions = {}) => {
    requireCount("gla", "heads", heads);
    needWhole("gla", "rank", rank);
    if (!(keys > 0 && temperature > 0))
      throw new RangeError(`gla: keys and a temperature above 0 are required, got ${keys} and ${temperature}`);
    const keyWidth = (units: number): number => heads * Math.max(1, Math.round((keys * units) / heads));
    return {
      options: {
        heads,
        ...(keys !== 0.5 && { keys }),
        ...(rank !== 16 && { rank }),
        ...(temperature !== 16 && { temperature }),
      },
      shape(input) {
        requireHeads("gla", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const width = keyWidth(units!);
        return {
          query: kernelParams(rng.at("query"), units!, width),
          key: kernelParams(rng.at("key"), units!, width),
          value: kernelParams(rng.at("value"), units!, units!),
          decayDown: kernelParams(rng.at("decayDown"), units!, rank),
          decayUp: productParams(rng.at("decayUp"), rank, width),
          gate: kernelParams(rng.at("gate"), units!, units!),
          norm: { scale: tf.ones([units! / heads]) },
          out: kernelParams(rng.at("out"), units!, units!),
        };
      },
      ...mixing({
        given(x, params, mode) {
          const [query, key, value] = ["query", "key", "value"].map((part) => projected(x, params, part, mode, heads));
          const logits = product(product(x, params, "decayDown", mode), params, "decayUp", mode);
          const decay = tf.maximum(tf.div(tf.softplus(tf.neg(logits)), -temperature), leastDecay);
          return {
            query: tf.mul(query!, 1 / Math.sqrt(query!.shape[3]!)),
            key: key!,
            value: value!,
            decay: byHeads(decay, heads),
          };
        },
        along: ({ query, key, value, decay }) => decayedSums(query, key, value, decay),
        states: ({ key, value }) => [[heads, key.shape[3]!, value.shape[3]!]],
        step([state], { query, key, value, decay }) {
          const [read, next] = decayedSum(state!, query, key, value, decay);
          return [read, [next]];
        },
        factors(read, x, params, mode) {
          const { scale } = params.norm as { readonly scale: tf.Tensor };
          const open = byHeads(nn.silu(product(x, params, "gate", mode)), heads);
          return tf.mul(tf.mul(rootMeanFactor(read), scale), open);
        },
      }),
    };
  },
  ["sequence"],
);

import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { decayedSum, decayedSums, leastDecay } from "../../parts/chunks.ts";
import { product } from "../../parts/product.ts";
import { byHeads, kernelParams, mixing, projected, requireHeads, rootMeanFactor } from "../../parts/stateful.ts";

/** Options of `mlstm`. */
export interface MlstmOptions {
  /** Width of queries and keys, in widths of the sequence. Default 0.5. */
  readonly keys?: number;
}

/** Logits of the gates stay between −15 and 15. */
const cap = 15;

/**
 * The matrix memory of xLSTM: each head holds a matrix and a vector that say what was written to keys, and how much.
 *
 * `C ← σ(f) C + eⁱ k vᵀ`, `n ← σ(f) n + eⁱ k`, `h = Cᵀ q / max(|nᵀ q|, 1)`, with f and i one number for each head, softly kept within ±15; what is read is
 * normalised by head, gated by `σ(W x)` and multiplied once more. Input gates begin nearly closed (−10), forget gates open (3 to 6). All places at once are
 * products of matrices in chunks of 16 places. Sequences of vectors keep their shape. `slstm` is the other cell of xLSTM.
 *
 * Beck et al. 2024, "xLSTM: extended long short-term memory", arXiv:2405.04517, section 2.3; gates and normalisation as in xLSTM 7B (arXiv:2503.13427) and its form in
 * Hugging Face's transformers.
 * Differs from the paper: no running maximum is taken away, since logits within ±15 need none; a state keeps at least e⁻¹⁰ of itself at a place.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().mlstm(4)).features([100]); // [100, 32]
 * ```
 */
export const mlstm = sameLayer(
  "mlstm",
  (heads: number, { keys = 0.5 }: MlstmOptions = {}) => {
    requireCount("mlstm", "heads", heads);
    if (!(keys > 0)) throw new RangeError(`mlstm: keys above 0 are required, got ${keys}`);
    return {
      options: { heads, ...(keys !== 0.5 && { keys }) },
      shape(input) {
        requireHeads("mlstm", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const width = heads * Math.max(1, Math.round((keys * units!) / heads));
        const drawn = (part: string, outputs: number): Params => kernelParams(rng.at(part), units!, outputs);
        const opening = Array.from({ length: heads }, (_, h) => 3 + (heads === 1 ? 0 : (3 * h) / (heads - 1)));
        return {
          query: drawn("query", width),
          key: drawn("key", width),
          value: drawn("value", units!),
          enter: { kernel: tf.zeros([units!, heads]), bias: tf.fill([heads], -10) },
          keep: { kernel: tf.zeros([units!, heads]), bias: tf.tensor1d(opening) },
          leave: drawn("leave", units!),
          norm: { scale: tf.ones([units!]) },
          out: drawn("out", units!),
        };
      },
      ...mixing({
        given(x, params, mode) {
          const [query, key, value] = ["query", "key", "value"].map((part) => projected(x, params, part, mode, heads));
          const [enter, keep] = ["enter", "keep"].map((part) =>
            byHeads(tf.mul(tf.tanh(tf.div(product(x, params, part, mode), cap)), cap), heads),
          );
          return {
            query: tf.mul(query!, 1 / Math.sqrt(query!.shape[3]!)),
            key: tf.mul(key!, tf.exp(enter!)),
            // a column of ones beside the values adds up the keys; the values of a head are centred here, so that what is read is
            value: tf.concat([tf.sub(value!, tf.mean(value!, -1, true)), tf.onesLike(enter!)], 3),
            decay: tf.maximum(tf.neg(tf.softplus(tf.neg(keep!))), leastDecay),
          };
        },
        along: ({ query, key, value, decay }) => decayedSums(query, key, value, decay),
        states: ({ key, value }) => [[heads, key.shape[3]!, value.shape[3]!]],
        step([state], { query, key, value, decay }) {
          const [read, next] = decayedSum(state!, query, key, value, decay);
          return [read, [next]];
        },
        factors(read, x, params, mode) {
          const values = read.shape[3]! - 1;
          const [sums, weight] = tf.split(read, [values, 1], 3) as [tf.Tensor, tf.Tensor];
          const share = tf.reciprocal(tf.maximum(tf.abs(weight), 1));
          const normal = tf.mul(share, rootMeanFactor(tf.mul(sums, share), 1e-6));
          const { scale } = params.norm as { readonly scale: tf.Tensor };
          const open = tf.mul(tf.sigmoid(product(x, params, "leave", mode)), scale);
          return tf.mul(normal, byHeads(open, heads));
        },
      }),
    };
  },
  ["sequence"],
);

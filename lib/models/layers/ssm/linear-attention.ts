import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { decayedSum, decayedSums } from "../../parts/chunks.ts";
import { kernelParams, mixing, projected, requireHeads } from "../../parts/stateful.ts";

/**
 * Linear attention: softmax's weights replaced by products of positive features, so that a head needs no more than the sum of keys times values so far.
 *
 * `o = Σ φ(q)ᵀφ(kₛ) vₛ / Σ φ(q)ᵀφ(kₛ)` over the places s so far, `φ(x) = elu(x) + 1`, multiplied once more. All places at once are products of matrices in
 * chunks of 16 places. Sequences of vectors keep their shape.
 *
 * Katharopoulos et al. 2020, "Transformers are RNNs", arXiv:2006.16236, section 3.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32).residual((n) => n.layerNorm().linearAttention(4)).features([100]); // [100, 32]
 * ```
 */
export const linearAttention = sameLayer(
  "linearAttention",
  (heads: number) => {
    requireCount("linearAttention", "heads", heads);
    return {
      options: { heads },
      shape(input) {
        requireHeads("linearAttention", input, heads);
        return input;
      },
      init: (rng, [, units]): Params =>
        Object.fromEntries(
          ["query", "key", "value", "out"].map((part) => [part, kernelParams(rng.at(part), units!, units!)]),
        ),
      ...mixing({
        given(x, params, mode) {
          const [query, key] = ["query", "key"].map((part) =>
            tf.add(tf.elu(projected(x, params, part, mode, heads)), 1),
          );
          const value = projected(x, params, "value", mode, heads);
          const ones = tf.ones([...value.shape.slice(0, 3), 1]);
          return { query: query!, key: key!, value: tf.concat([value, ones], 3) };
        },
        along: ({ query, key, value }) => decayedSums(query, key, value, null),
        states: ({ key, value }) => [[heads, key.shape[3]!, value.shape[3]!]],
        step([state], { query, key, value }) {
          const [read, next] = decayedSum(state!, query, key, value, null);
          return [read, [next]];
        },
        factors(read) {
          const values = read.shape[3]! - 1;
          const [, weight] = tf.split(read, [values, 1], 3) as [tf.Tensor, tf.Tensor];
          return tf.tile(tf.reciprocal(tf.add(weight, 1e-6)), [1, 1, 1, values]);
        },
      }),
    };
  },
  ["sequence"],
);

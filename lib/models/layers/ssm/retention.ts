import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { decayedSum, decayedSums } from "../../parts/chunks.ts";
import { product } from "../../parts/product.ts";
import { byHeads, kernelParams, mixing, projected, requireHeads, rootMeanFactor } from "../../parts/stateful.ts";

/**
 * Retention: linear attention whose heads forget at fixed speeds, the first with `γ = 1 − 2⁻⁵`, each next one half as fast.
 *
 * `S ← γ S + k vᵀ`, `o = Sᵀ q / √d`; what is read is normalised by head, gated by `silu(W x)` and multiplied once more. All places at once are products of
 * matrices in chunks of 16 places. Sequences of vectors keep their shape.
 *
 * Sun et al. 2023, "Retentive network: a successor to transformer for large language models", arXiv:2307.08621, section 2.
 * Differs from the paper: queries and keys are not turned by their places (xPos); values are as wide as the sequence.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32).residual((n) => n.layerNorm().retention(4)).features([100]); // [100, 32]
 * ```
 */
export const retention = sameLayer(
  "retention",
  (heads: number) => {
    requireCount("retention", "heads", heads);
    const decays = Float32Array.from({ length: heads }, (_, h) => Math.log(1 - 2 ** -(5 + h)));
    return {
      options: { heads },
      shape(input) {
        requireHeads("retention", input, heads);
        return input;
      },
      init: (rng, [, units]): Params =>
        Object.fromEntries(
          ["query", "key", "value", "gate", "out"].map((part) => [part, kernelParams(rng.at(part), units!, units!)]),
        ),
      ...mixing({
        given(x, params, mode) {
          const [query, key, value] = ["query", "key", "value"].map((part) => projected(x, params, part, mode, heads));
          const [n, length] = x.shape as [number, number];
          return {
            query: tf.mul(query!, 1 / Math.sqrt(query!.shape[3]!)),
            key: key!,
            value: value!,
            decay: tf.add(tf.zeros([n, length, heads, 1]), tf.tensor(decays, [heads, 1])),
          };
        },
        along: ({ query, key, value, decay }) => decayedSums(query, key, value, decay),
        states: ({ key, value }) => [[heads, key.shape[3]!, value.shape[3]!]],
        step([state], { query, key, value, decay }) {
          const [read, next] = decayedSum(state!, query, key, value, decay);
          return [read, [next]];
        },
        factors: (read, x, params, mode) =>
          tf.mul(rootMeanFactor(read), byHeads(nn.silu(product(x, params, "gate", mode)), heads)),
      }),
    };
  },
  ["sequence"],
);

import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { deltaSum, deltaSums, leastDecay } from "../../parts/chunks.ts";
import { product, productParams } from "../../parts/product.ts";
import {
  byHeads,
  kernelParams,
  mixing,
  projected,
  requireHeads,
  rootMeanFactor,
  unitLength,
} from "../../parts/stateful.ts";

/** Options of `deltaNet`. */
export interface DeltaNetOptions {
  /** Whether the state also decays as the input says, and what is read goes through a gate. Default false. */
  readonly gated?: boolean;
}

/**
 * Linear attention by the delta rule: each head holds a matrix, and what it answers to a key is replaced by the value, as far as β says.
 *
 * `S ← S + β k (v − Sᵀ k)ᵀ`, `o = Sᵀ q / √d`, keys and queries `silu` of products and of length one, `β = σ(W x)`; what is read is normalised by head and multiplied
 * once more. With `gated` the state is multiplied by `exp(−a softplus(W x + b))` before. All places at once are products of matrices in chunks of 16 places.
 * Sequences of vectors keep their shape. The authors put a short convolution before: `causalConv(4)`.
 *
 * Yang et al. 2024, "Parallelizing linear transformers with the delta rule over sequence length", arXiv:2406.06484; Yang, Kautz and Hatamizadeh 2024, "Gated delta
 * networks", arXiv:2412.06464, of which `gated` is equation 10.
 * Differs from the papers: the short convolution is a layer of its own, before the products rather than behind them.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().deltaNet(2)).features([100]); // [100, 32]
 * ```
 */
export const deltaNet = sameLayer(
  "deltaNet",
  (heads: number, { gated = false }: DeltaNetOptions = {}) => {
    requireCount("deltaNet", "heads", heads);
    return {
      options: { heads, ...(gated && { gated }) },
      shape(input) {
        requireHeads("deltaNet", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const square = (part: string): Params => kernelParams(rng.at(part), units!, units!);
        return {
          query: square("query"),
          key: square("key"),
          value: square("value"),
          rate: kernelParams(rng.at("rate"), units!, heads),
          ...(gated && {
            decay: { ...productParams(rng.at("decay"), units!, heads), bias: steps(rng.at("steps").uniforms([heads])) },
            speed: { log: tf.log(rng.at("speed").uniforms([heads], 1, 16)) },
            gate: square("gate"),
          }),
          norm: { scale: tf.ones([units! / heads]) },
          out: square("out"),
        };
      },
      ...mixing({
        given(x, params, mode): Given {
          const [query, key, value] = ["query", "key", "value"].map((part) =>
            nn.silu(projected(x, params, part, mode, heads)),
          );
          const given = {
            query: tf.mul(unitLength(query!), 1 / Math.sqrt(query!.shape[3]!)),
            key: unitLength(key!),
            value: value!,
            rate: tf.sigmoid(projected(x, params, "rate", mode, heads)),
          };
          if (!gated) return given;
          const { log } = params.speed as { readonly log: tf.Tensor };
          const slow = tf.softplus(product(x, params, "decay", mode));
          return { ...given, decay: tf.maximum(tf.neg(byHeads(tf.mul(tf.exp(log), slow), heads)), leastDecay) };
        },
        along: ({ query, key, value, rate, ...more }: Given) => deltaSums(query, key, value, rate, more.decay ?? null),
        states: ({ key, value }) => [[heads, key.shape[3]!, value.shape[3]!]],
        step([state], { query, key, value, rate, ...more }: Given) {
          const [read, next] = deltaSum(state!, query, key, value, rate, more.decay ?? null);
          return [read, [next]];
        },
        bent(x, params, mode) {
          const value = projected(x, params, "value", mode, heads);
          return [value, tf.sigmoid(value)];
        },
        factors(read, x, params, mode) {
          const { scale } = params.norm as { readonly scale: tf.Tensor };
          const normal = tf.mul(rootMeanFactor(read), scale);
          return gated ? tf.mul(normal, byHeads(nn.silu(product(x, params, "gate", mode)), heads)) : normal;
        },
      }),
    };
  },
  ["sequence"],
);

type Given = { readonly [part in "query" | "key" | "value" | "rate"]: tf.Tensor } & { readonly decay?: tf.Tensor };

/** Biases whose softplus lies between 0.001 and 0.1, evenly in the logarithm, for numbers between 0 and 1. */
function steps(uniforms: tf.Tensor): tf.Tensor {
  const dt = tf.exp(tf.add(tf.mul(uniforms, Math.log(0.1) - Math.log(0.001)), Math.log(0.001)));
  return tf.log(tf.sub(tf.exp(dt), 1));
}

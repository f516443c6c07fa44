import { needWhole } from "../../../data/options.ts";
import { associativeScan, nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { decayedSum, decayedSums, leastDecay } from "../../parts/chunks.ts";
import { product } from "../../parts/product.ts";
import {
  byHeads,
  kernelParams,
  mixing,
  projected,
  requireHeads,
  rootMeanFactor,
  together,
} from "../../parts/stateful.ts";

/** Options of `lightNet`. */
export interface LightNetOptions {
  /** Whether a place sees those before it and itself alone. Default true. */
  readonly causal?: boolean;
  /** Width in the middle of the two products that the gate comes from. Default 16. */
  readonly rank?: number;
}

/**
 * LightNet's additive recurrence: a row of a head's matrix is the mean of the values so far, weighed by the exponentials of that row's keys.
 *
 * `z ← z + eᵏ`, `S ← diag(z₋/z) S + (eᵏ/z) vᵀ`, `o = Sᵀ silu(q) / √d`; what is read is normalised, gated by `silu(W₂ W₁ x)` and multiplied once more. Since weights
 * only add up, one scan serves several dimensions: with `causal: false` every place, of the patches of an image for example, reads the mean over all of
 * them. Sequences of vectors keep their shape.
 *
 * Implements: P073 LightNet
 * Qin et al. 2024, "You only scan once: efficient multi-dimension sequential modeling with LightNet", arXiv:2405.21022, section 4; products and normalisation
 * as in flash-linear-attention.
 * Differs from the paper: its positions for several dimensions (MD-TPE, MD-LRPE) are not there, `positions()` is; the share of a state that is kept at a place
 * is at least e⁻¹⁰.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(4).dense(32).positions().residual((n) => n.layerNorm().lightNet(4, { causal: false })).features([28, 28, 1]); // [49, 32]
 * ```
 */
export const lightNet = sameLayer(
  "lightNet",
  (heads: number, { causal = true, rank = 16 }: LightNetOptions = {}) => {
    requireCount("lightNet", "heads", heads);
    needWhole("lightNet", "rank", rank);
    const { apply, recurs, mixes } = mixing({
      given(x, params, mode) {
        const [query, key, value] = ["query", "key", "value"].map((part) => projected(x, params, part, mode, heads));
        return {
          query: tf.mul(nn.silu(query!), 1 / Math.sqrt(query!.shape[3]!)),
          key: key!,
          value: value!,
        };
      },
      along({ query, key, value }) {
        if (!causal) {
          const shares = tf.softmax(tf.transpose(key, [0, 2, 3, 1]));
          const state = tf.matMul(shares, tf.transpose(value, [0, 2, 1, 3]));
          return tf.transpose(tf.matMul(tf.transpose(query, [0, 2, 1, 3]), state), [0, 2, 1, 3]);
        }
        const sums = associativeScan(logSum, key);
        const first = tf.fill([key.shape[0]!, 1, ...key.shape.slice(2)], none);
        const before = tf.concat([first, tf.slice(sums, [0, 0], [-1, key.shape[1]! - 1])], 1);
        return decayedSums(query, tf.exp(tf.sub(key, sums)), value, share(before, sums));
      },
      states: ({ key, value }) => [
        [heads, key.shape[3]!, value.shape[3]!],
        [heads, key.shape[3]!],
        [heads, 1],
      ],
      step([state, sum, begun], { query, key, value }) {
        const before = tf.where(tf.greater(tf.add(begun!, tf.zerosLike(sum!)), 0), sum!, tf.fill(sum!.shape, none));
        const after = logSum(before, key);
        const [read, next] = decayedSum(state!, query, tf.exp(tf.sub(key, after)), value, share(before, after));
        return [read, [next, after, tf.onesLike(begun!)]];
      },
      factors(read, x, params, mode) {
        const { scale } = params.norm as { readonly scale: tf.Tensor };
        const open = nn.silu(product(product(x, params, "gateDown", mode), params, "gateUp", mode));
        return byHeads(tf.mul(tf.mul(rootMeanFactor(together(read)), scale), open), heads);
      },
    });
    return {
      options: { heads, ...(!causal && { causal }), ...(rank !== 16 && { rank }) },
      shape(input) {
        requireHeads("lightNet", input, heads);
        return input;
      },
      init(rng, [, units]): Params {
        const square = (part: string): Params => kernelParams(rng.at(part), units!, units!);
        return {
          query: square("query"),
          key: square("key"),
          value: square("value"),
          gateDown: kernelParams(rng.at("gateDown"), units!, rank),
          gateUp: kernelParams(rng.at("gateUp"), rank, units!),
          norm: { scale: tf.ones([units!]) },
          out: square("out"),
        };
      },
      apply,
      mixes,
      ...(causal && { recurs }),
    };
  },
  ["sequence"],
);

/** The logarithm of a sum of nothing, as a number that can be calculated with. */
const none = -1e4;

/** `log(eᵃ + eᵇ)`. */
const logSum = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(b, tf.softplus(tf.sub(a, b)));

/** The logarithm of the share of a mean that is kept. */
const share = (before: tf.Tensor, after: tf.Tensor): tf.Tensor => tf.maximum(tf.sub(before, after), leastDecay);

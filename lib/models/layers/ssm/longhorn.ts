import { linearScan, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { type Chosen, selectiveBlock, selectiveMixing } from "../../parts/selective-block.ts";
import { shortConvParams } from "../../parts/short-conv.ts";
import { keepFor, lastPlace } from "../../parts/state-space.ts";
import { kernelParams } from "../../parts/stateful.ts";

/** Options of `longhorn`. */
export interface LonghornOptions {
  /** Numbers in the state of each channel. Default 16. */
  readonly state?: number;
  /** Channels within, in widths of the sequence. Default 2. */
  readonly expand?: number;
  /** Places that the short convolution sees. Default 4. */
  readonly conv?: number;
  /** Width of what the rates come from. Default a sixteenth of the width, rounded up. */
  readonly rank?: number;
}

/**
 * A state space that learns online: the state of a channel is what answers keys with the channel's numbers, and each place moves it to where it costs least.
 *
 * `s ← argmin ‖s − s₋‖² + β (sᵀk − u)²`, which is `s₋ − Δ k kᵀs₋ + Δ u k` with `Δ = β / (1 + β kᵀk)`; of `k kᵀ` the diagonal is taken, so that all channels run in one linear
 * scan: `s ← (1 − Δ k²) s + Δ u k`, `o = sᵀq + D u`. There is no other gate of forgetting. u, k, q and `β = σ(W₂ W₁ u + b)` come from a product, a convolution of 4 places
 * and `silu`, and what is read goes through a gate, as in `mamba`. Sequences of vectors keep their shape. All states of a sequence are there at once: a step of training
 * on 4 sequences of 1,024 places, 64 wide, takes 177 ms on one thread where `gla` takes 20.
 *
 * Implements: P119 Longhorn
 * Liu et al. 2024, "Longhorn: state space models are amortized online learners", arXiv:2407.14207, section 3, equations 4 to 6.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).residual((n) => n.layerNorm().longhorn()).features([100]); // [100, 16]
 * ```
 */
export const longhorn = sameLayer(
  "longhorn",
  ({ state = 16, expand = 2, conv = 4, rank }: LonghornOptions = {}) => {
    for (const [name, value] of Object.entries({ state, expand, conv, rank: rank ?? 1 }))
      requireCount("longhorn", name, value);
    const recurrence =
      (params: Params, mode: Mode, keep: tf.Tensor | null) =>
      ({ u, low, into: k, out: q }: Chosen, before: tf.Tensor | null) => {
        const beta = tf.sigmoid(product(low, params, "rate", mode));
        const rate = tf.div(beta, tf.add(tf.mul(beta, tf.sum(tf.square(k), -1, true)), 1));
        const stays = tf.sub(1, tf.mul(tf.expandDims(rate, 3), tf.expandDims(tf.square(k), 2)));
        const enters = tf.mul(tf.expandDims(tf.mul(rate, u), 3), tf.expandDims(k, 2));
        const all = linearScan(keep === null ? stays : tf.mul(stays, keepFor(keep, 4)), enters, before);
        return [tf.squeeze(tf.matMul(all, tf.expandDims(q, 3)), [3]), lastPlace(all)] as const;
      };
    return {
      options: { state, expand, conv, ...(rank !== undefined && { rank }) },
      shape(input) {
        requireVectors("longhorn", input);
        return input;
      },
      init(rng, [, width]): Params {
        const [inner, low] = [expand * width!, rank ?? Math.ceil(width! / 16)];
        return {
          in: kernelParams(rng.at("in"), width!, 2 * inner),
          conv: shortConvParams(rng.at("conv"), inner, conv),
          select: kernelParams(rng.at("select"), inner, low + 2 * state),
          rate: productParams(rng.at("rate"), low, inner),
          skip: tf.ones([inner]),
          out: kernelParams(rng.at("out"), inner, width!),
        };
      },
      apply: (x, params, mode) => selectiveBlock(state, recurrence(params, mode, null), x, params, mode, null, null)[0],
      recurs: (x, params, mode, states, keep) =>
        selectiveBlock(state, recurrence(params, mode, keep), x, params, mode, states, keep),
      mixes: (x, params, mode) =>
        selectiveMixing(state, (chosen) => recurrence(params, mode, null)(chosen, null)[0], x, params, mode),
    };
  },
  ["sequence"],
);

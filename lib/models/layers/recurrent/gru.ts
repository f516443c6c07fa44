import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import {
  type Recurrence,
  type RecurrentOptions,
  recur,
  recurOn,
  recurrentOptions,
  requireVectors,
  stateParams,
  stateProduct,
} from "../../parts/recurrence.ts";

/**
 * A layer of gated recurrent units over a sequence, from its beginning to its end: `[length, inputs]` becomes `[length, units]`.
 *
 * `r = σ(Wᵣx + Uᵣh)`, `z = σ(W_zx + U_zh)`, `n = tanh(Wₙx + r ∘ (Uₙh))`, `h ← (1 − z) ∘ n + z ∘ h`, each product with a bias; h begins as
 * 0. Cho et al. 2014, arXiv:1406.1078, with the reset after the product as PyTorch has it. Sequences of more than 64 places are a loop in
 * the program: a thousand places compile as fast as a hundred.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).gru(32).last().features([12]); // [32]
 * ```
 */
export const gru = layer(
  "gru",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, options: RecurrentOptions = {}) => {
    const { heads, truncate, used } = recurrentOptions("gru", units, options);
    return {
      options: { units, ...used },
      shape: (input) => [requireVectors("gru", input)[0], units],
      init: (rng, [, inputs]): Params => ({
        input: productParams(rng.at("input"), inputs!, 3 * units),
        state: stateParams(rng.at("state"), units, 3, heads),
      }),
      apply(x, params, mode) {
        const given = product(x, params, "input", mode);
        return recur(next, [tf.zeros([x.shape[0]!, units])], given, { state: params.state! }, mode, {
          writtenOut: 64,
          truncate,
        });
      },
      recurs: (x, params, mode, states, keep) =>
        recurOn(
          next,
          states ?? [tf.zeros([x.shape[0]!, units])],
          product(x, params, "input", mode),
          { state: params.state! },
          mode,
          keep,
        ),
    };
  },
);

/** The state after one place. */
const next: Recurrence = ([h], given, params, mode) => {
  const held = stateProduct(h!, params, mode);
  const [resetIn, updateIn, newIn] = tf.split(given, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [resetOf, updateOf, newOf] = tf.split(held, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const reset = tf.sigmoid(tf.add(resetIn, resetOf));
  const update = tf.sigmoid(tf.add(updateIn, updateOf));
  const fresh = tf.tanh(tf.add(newIn, tf.mul(reset, newOf)));
  return [tf.add(fresh, tf.mul(update, tf.sub(h!, fresh)))];
};

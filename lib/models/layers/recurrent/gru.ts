import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";

/**
 * A layer of gated recurrent units over a sequence, from its beginning to its end: `[length, inputs]` becomes `[length, units]`.
 *
 * `r = σ(Wᵣx + Uᵣh)`, `z = σ(W_zx + U_zh)`, `n = tanh(Wₙx + r ∘ (Uₙh))`, `h ← (1 − z) ∘ n + z ∘ h`, each product with a bias; h begins as
 * 0. Cho et al. 2014, arXiv:1406.1078, with the reset after the product as PyTorch has it. The steps are written out in the program, so
 * that long sequences take long to compile: up to about 64 places are well.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).gru(32).last().features([12]); // [32]
 * ```
 */
export const gru = layer("gru", { accepts: ["sequence"], gives: "sequence" }, (units: number) => {
  requireCount("gru", "units", units);
  return {
    options: { units },
    shape(input) {
      if (input.length !== 2)
        throw new RangeError(
          `gru: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
        );
      return [input[0]!, units];
    },
    init: (rng, [, inputs]): Params => ({
      input: productParams(rng.at("input"), inputs!, 3 * units),
      state: productParams(rng.at("state"), units, 3 * units),
    }),
    apply(x, params, mode) {
      const [n, length] = x.shape as [number, number];
      const given = product(x, params, "input", mode);
      let h: tf.Tensor = tf.zeros([n, units]);
      const all: tf.Tensor[] = [];
      for (let t = 0; t < length; t++) {
        h = next(h, tf.reshape(tf.slice(given, [0, t, 0], [n, 1, 3 * units]), [n, 3 * units]), params, mode);
        all.push(h);
      }
      return tf.stack(all, 1);
    },
  };
});

/** The state after one place. */
function next(h: tf.Tensor, given: tf.Tensor, params: Params, mode: Mode): tf.Tensor {
  const held = product(h, params, "state", mode);
  const [resetIn, updateIn, newIn] = tf.split(given, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [resetOf, updateOf, newOf] = tf.split(held, 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const reset = tf.sigmoid(tf.add(resetIn, resetOf));
  const update = tf.sigmoid(tf.add(updateIn, updateOf));
  const fresh = tf.tanh(tf.add(newIn, tf.mul(reset, newOf)));
  return tf.add(fresh, tf.mul(update, tf.sub(h, fresh)));
}

import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import {
  type Recurrence,
  type RecurrentOptions,
  recur,
  recurrentOptions,
  requireVectors,
  stateParams,
  stateProduct,
} from "../../parts/recurrence.ts";

/**
 * A layer of long short-term memory with exponential gates over a sequence: `[length, inputs]` becomes `[length, units]`.
 *
 * With the sum `a` of a product of the input and one of the state, cut in four: `c ← σ(a₂) c + e^a₁ tanh(a₃)`, `n ← σ(a₂) n + e^a₁`,
 * `h ← σ(a₄) c / n`, all of which begin as 0. Both sums are kept divided by the largest factor so far, so that nothing overflows.
 *
 * Beck et al. 2024, "xLSTM", arXiv:2405.04517, section 2.2, with the sigmoid for the forget gate and the stabilised form of appendix A.2. With `heads`
 * it is the head-wise network that FlashRNN has kernels for.
 *
 * Implements: P188 FlashRNN head-wise RNN
 * Pöppel, Beck and Hochreiter 2025, "FlashRNN", arXiv:2412.07752, section 3: `heads` here and of `lstm`, `gru` and `rnn`. Their kernels for one
 * brand of graphics cards are not what is here: the places are a loop in a program of the engine.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).slstm(32, { heads: 4 }).last().features([12]); // [32]
 * ```
 */
export const slstm = layer(
  "slstm",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, options: RecurrentOptions = {}) => {
    const { heads, truncate, used } = recurrentOptions("slstm", units, options);
    return {
      options: { units, ...used },
      shape: (input) => [requireVectors("slstm", input)[0], units],
      init: (rng, [, inputs]): Params => ({
        input: productParams(rng.at("input"), inputs!, 4 * units, units),
        state: stateParams(rng.at("state"), units, 4, heads),
      }),
      apply(x, params, mode) {
        const nothing = tf.zeros([x.shape[0]!, units]);
        // the logarithm of the largest factor so far: of none it is −∞
        const first = [nothing, nothing, nothing, tf.fill([x.shape[0]!, units], -1e30)];
        const given = product(x, params, "input", mode);
        return recur(next, first, given, { state: params.state! }, mode, { truncate });
      },
    };
  },
);

/** The state, the two sums and the logarithm of what they are divided by, after one place. */
const next: Recurrence = ([h, c, n, m], given, params, mode) => {
  const sums = tf.add(given, stateProduct(h!, params, mode));
  const [enter, keep, fresh, leave] = tf.split(sums, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  // not tf.logSigmoid, whose gradient looks at a tensor that is gone within a loop
  const kept = tf.sub(m!, tf.softplus(tf.neg(keep)));
  const most = tf.maximum(enter, kept);
  const [entering, staying] = [tf.exp(tf.sub(enter, most)), tf.exp(tf.sub(kept, most))];
  const cell = tf.add(tf.mul(staying, c!), tf.mul(entering, tf.tanh(fresh)));
  const norm = tf.add(tf.mul(staying, n!), entering);
  return [tf.mul(tf.sigmoid(leave), tf.div(cell, norm)), cell, norm, most];
};

import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
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

/** Options of `lstm`. */
export interface LstmLayerOptions extends RecurrentOptions {
  /** Whether a second layer reads the sequence from its end; its states stand behind those of the first. Default false. */
  readonly bidirectional?: boolean;
}

/**
 * A layer of long short-term memory over a sequence: `[length, inputs]` becomes `[length, units]`, twice as many if bidirectional.
 *
 * With the sum `a` of a product of the input and one of the state, each with a bias, cut in four: `c ← σ(a₂) ∘ c + σ(a₁) ∘ tanh(a₃)`,
 * `h ← σ(a₄) ∘ tanh(c)`; both begin as 0. The places are a loop in the program: a thousand compile as fast as ten.
 *
 * Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al. 2000, doi:10.1162/089976600300015015;
 * gates in PyTorch's order.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).lstm(32).last().features([1000]); // [32]
 * ```
 */
export const lstm = layer(
  "lstm",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { bidirectional = false, ...options }: LstmLayerOptions = {}) => {
    const { heads, truncate, used } = recurrentOptions("lstm", units, options);
    const oneWay = (x: tf.Tensor, params: Params, mode: Mode, reverse: boolean): tf.Tensor => {
      const first = [tf.zeros([x.shape[0]!, units]), tf.zeros([x.shape[0]!, units])];
      const given = product(x, params, "input", mode);
      return recur(next, first, given, { state: params.state! }, mode, { reverse, truncate });
    };
    return {
      options: { units, ...(bidirectional && { bidirectional }), ...used },
      shape: (input) => [requireVectors("lstm", input)[0], bidirectional ? 2 * units : units],
      init(rng, [, inputs]): Params {
        // as PyTorch: every weight and bias by the width of the state
        const drawn = (at: typeof rng): Params => ({
          input: productParams(at.at("input"), inputs!, 4 * units, units),
          state: stateParams(at.at("state"), units, 4, heads),
        });
        return { ...drawn(rng), ...(bidirectional && { reverse: drawn(rng.at("reverse")) }) };
      },
      apply(x, params, mode) {
        const onwards = oneWay(x, params, mode, false);
        if (!bidirectional) return onwards;
        return tf.concat([onwards, oneWay(x, params.reverse as Params, mode.at("reverse"), true)], 2);
      },
      ...(!bidirectional && {
        recurs(x: tf.Tensor, params: Params, mode: Mode, states: readonly tf.Tensor[] | null, keep: tf.Tensor) {
          const first = states ?? [tf.zeros([x.shape[0]!, units]), tf.zeros([x.shape[0]!, units])];
          return recurOn(next, first, product(x, params, "input", mode), { state: params.state! }, mode, keep);
        },
      }),
    };
  },
);

/** The state and the cell after one place. */
const next: Recurrence = ([h, c], given, params, mode) => {
  const sums = tf.add(given, stateProduct(h!, params, mode));
  const [enter, keep, fresh, leave] = tf.split(sums, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const cell = tf.add(tf.mul(tf.sigmoid(keep), c!), tf.mul(tf.sigmoid(enter), tf.tanh(fresh)));
  return [tf.mul(tf.sigmoid(leave), tf.tanh(cell)), cell];
};

import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import {
  type RecurrentOptions,
  recur,
  recurOn,
  recurrentOptions,
  requireVectors,
  stateParams,
  stateProduct,
} from "../../parts/recurrence.ts";

/** Options of `rnn`. */
export interface RnnOptions extends RecurrentOptions {
  /** What is made of the sum. Default "tanh". */
  readonly activation?: "tanh" | "relu" | "leakyRelu";
  /**
   * Whether each unit has a trained time constant τ of at least 1, over which it forgets: `h ← φ((1 − 1/τ) h + (W x + U h) / τ)`. They begin
   * between 1 and 2, and U has no connection from a unit to itself. Default false.
   */
  readonly timescales?: boolean;
}

/**
 * A layer of plain recurrent units over a sequence, from its beginning to its end: `[length, inputs]` becomes `[length, units]`.
 *
 * `h ← φ(W x + U h)`, each product with a bias; h begins as 0. Elman 1990, doi:10.1207/s15516709cog1402_1. With one head it is PyTorch's `torch.nn.RNN`.
 *
 * With `timescales` a unit remembers by itself, beside what the connections remember.
 *
 * Implements: P308 Timescale RNN curricula
 * Khajehabdollahi, Zeraati, Giannakakis, Schäfer, Martius and Levina 2023, "Emergent mechanisms for long timescales depend on training
 * curriculum and affect performance in memory tasks", arXiv:2309.12927, equation 1 as in the authors' program: `timescales`. A head for each length is
 * one of several numbers that are asked for; a curriculum of one length after the other is a study.
 * Differs from the authors' program: the state begins as 0, not as small random numbers.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().rnn(16, { timescales: true, activation: "leakyRelu" }).last().features([12, 1]); // [16]
 * ```
 */
export const rnn = layer(
  "rnn",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { activation = "tanh", timescales = false, ...options }: RnnOptions = {}) => {
    const { heads, truncate, used } = recurrentOptions("rnn", units, options);
    needOneOf("rnn", "activation", activation, ["tanh", "relu", "leakyRelu"]);
    if (timescales && heads > 1) throw new TypeError(`rnn: timescales or heads are required, got both; leave one out`);
    const held = (params: Params): Params => {
      if (!timescales) return { state: params.state! };
      const { kernel, bias } = params.state as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
      const others = tf.sub(1, tf.eye(units));
      return {
        state: { kernel: tf.mul(kernel, others), bias },
        share: tf.div(1, tf.maximum(params.timescale as tf.Tensor, 1)),
      };
    };
    const next = ([h]: readonly tf.Tensor[], given: tf.Tensor, own: Params, mode: Mode): tf.Tensor[] => {
      const sum = tf.add(given, stateProduct(h!, own, mode));
      const share = own.share as tf.Tensor | undefined;
      return [active(share === undefined ? sum : tf.add(h!, tf.mul(share, tf.sub(sum, h!))))];
    };
    const active = (x: tf.Tensor): tf.Tensor =>
      activation === "tanh" ? tf.tanh(x) : activation === "relu" ? tf.relu(x) : tf.leakyRelu(x, 0.01);
    return {
      options: {
        units,
        ...(activation !== "tanh" && { activation }),
        ...(timescales && { timescales }),
        ...used,
      },
      shape: (input) => [requireVectors("rnn", input)[0], units],
      init: (rng, [, inputs]): Params => ({
        input: productParams(rng.at("input"), inputs!, units, units),
        state: stateParams(rng.at("state"), units, 1, heads),
        ...(timescales && { timescale: rng.at("timescale").uniforms([units], 1, 2) }),
      }),
      apply: (x, params, mode) =>
        recur(next, [tf.zeros([x.shape[0]!, units])], product(x, params, "input", mode), held(params), mode, {
          truncate,
        }),
      recurs: (x, params, mode, states, keep) =>
        recurOn(
          next,
          states ?? [tf.zeros([x.shape[0]!, units])],
          product(x, params, "input", mode),
          held(params),
          mode,
          keep,
        ),
    };
  },
);

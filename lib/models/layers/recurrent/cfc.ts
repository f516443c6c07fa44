import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { elapsed } from "../../parts/elapsed.ts";
import { product } from "../../parts/product.ts";
import { recur, recurOn, requireVectors } from "../../parts/recurrence.ts";

/** Options of `cfc`. */
export interface CfcOptions {
  /** Units of the layer that the input and the state go through first. Default 64. */
  readonly hidden?: number;
  /**
   * What of the solution is kept: two functions between which a gate goes over time ("gated"), their sum with a gate on the second
   * ("ungated"), or the solution itself, a decay towards a trained value ("pure"). Default "gated".
   */
  readonly form?: "gated" | "ungated" | "pure";
  /** Whether the last number of each vector is the time since the place before. Default false: it is 1. */
  readonly times?: boolean;
}

/**
 * Liquid units in closed form, which follow an ordinary differential equation without solving it: `[length, inputs]` becomes `[length, units]`.
 *
 * Of `u = 1.7159 tanh(0.666 (W x + U h))` come four vectors; with the time t since the place before, `σ = σ(a t + b)` and
 * `h ← (1 − σ) tanh(f) + σ tanh(g)`. h begins as 0. Of sequences in irregular time (`times`) the state moves as far as time has gone.
 *
 * Hasani et al. 2022, "Closed-form continuous-time neural networks", arXiv:2106.13898, equation 10, and the authors' program, whose forms these are.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().cfc(16, { times: true }).last().features([40, 3]); // [16], of two numbers and the time
 * ```
 */
export const cfc = layer(
  "cfc",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { hidden = 64, form = "gated", times = false }: CfcOptions = {}) => {
    requireCount("cfc", "units", units);
    requireCount("cfc", "hidden", hidden);
    needOneOf("cfc", "form", form, ["gated", "ungated", "pure"]);
    const vectors = form === "pure" ? 1 : 4;
    const start = (x: tf.Tensor) => [tf.zeros([x.shape[0]!, units])];
    const given = (x: tf.Tensor, params: Params, mode: Mode): tf.Tensor => {
      const { values, time } = elapsed(x, times);
      return tf.concat([product(values, params, "input", mode), time], 2);
    };
    const own = ({ input: _, ...rest }: Params): Params => rest;
    const next = ([h]: readonly tf.Tensor[], given: tf.Tensor, params: Params, mode: Mode): tf.Tensor[] => {
      const [sum, time] = tf.split(given, [hidden, 1], 1) as [tf.Tensor, tf.Tensor];
      const u = tf.mul(1.7159, tf.tanh(tf.mul(0.666, tf.add(sum, product(h!, params, "state", mode)))));
      const out = product(u, params, "out", mode);
      if (form === "pure") {
        const decay = tf.exp(tf.neg(tf.mul(time, tf.add(tf.abs(params.rate as tf.Tensor), tf.abs(out)))));
        return [tf.mul(params.target as tf.Tensor, tf.sub(1, tf.mul(decay, out)))];
      }
      const [f, g, a, b] = tf.split(out, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const gate = tf.sigmoid(tf.add(tf.mul(a, time), b));
      const [first, second] = [tf.tanh(f), tf.tanh(g)];
      return [tf.add(first, tf.mul(gate, form === "gated" ? tf.sub(second, first) : second))];
    };
    return {
      options: { units, hidden, ...(form !== "gated" && { form }), ...(times && { times }) },
      shape: (input) => [requireVectors("cfc", input)[0], units],
      init(rng, [, width]): Params {
        const inputs = width! - (times ? 1 : 0);
        const drawn = (part: string, from: number, to: number): tf.Tensor =>
          drawWeights(
            "xavier",
            rng.at(part),
            [from, to],
            part === "out" ? hidden : inputs + units,
            part === "out" ? units : hidden,
          );
        return {
          input: { kernel: drawn("input", inputs, hidden), bias: tf.zeros([hidden]) },
          state: { kernel: drawn("state", units, hidden) },
          out: { kernel: drawn("out", hidden, vectors * units), bias: tf.zeros([vectors * units]) },
          ...(form === "pure" && { rate: tf.zeros([units]), target: tf.ones([units]) }),
        };
      },
      apply: (x, params, mode) => recur(next, start(x), given(x, params, mode), own(params), mode),
      recurs: (x, params, mode, states, keep) =>
        recurOn(next, states ?? start(x), given(x, params, mode), own(params), mode, keep),
    };
  },
);

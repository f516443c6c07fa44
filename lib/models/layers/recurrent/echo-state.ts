import { needShare } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { recur, recurOn, requireVectors } from "../../parts/recurrence.ts";

/** Options of `echoState`. */
export interface EchoStateOptions {
  /** The largest absolute eigenvalue of the state's weights. Below 1 what came in long ago is forgotten. Default 0.9. */
  readonly spectralRadius?: number;
  /** How much of the new state comes in at each place: 1, or less for slow units. Default 1. */
  readonly leak?: number;
  /** The range of the weights of the input and of the biases. Default 1. */
  readonly scale?: number;
  /** The share of the state's weights that are not 0. Default 0.1, or a connection to each unit where that is more. */
  readonly density?: number;
}

/**
 * A random recurrent network, few connections with a chosen spectral radius, over a sequence: `[length, inputs]` becomes `[length, units]`.
 *
 * `h ← (1 − leak) h + leak · tanh(W x + U h + b)`; h begins as 0. It is meant to stay as it is drawn: `reservoir` freezes it.
 *
 * Jaeger 2001, "The echo state approach to analysing and training recurrent neural networks", GMD report 148; leaky units as in Jaeger et al. 2007,
 * doi:10.1016/j.neunet.2007.04.016.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().echoState(50, { spectralRadius: 0.8 }).last().features([30, 1]); // [50]
 * ```
 */
export const echoState = layer(
  "echoState",
  { accepts: ["sequence"], gives: "sequence" },
  (
    units: number,
    {
      spectralRadius = 0.9,
      leak = 1,
      scale = 1,
      density = Math.min(1, Math.max(0.1, 1 / units)),
    }: EchoStateOptions = {},
  ) => {
    requireCount("echoState", "units", units);
    for (const [name, value] of Object.entries({ spectralRadius, scale }))
      if (!(value >= 0 && Number.isFinite(value)))
        throw new RangeError(`echoState: ${name} must be a number of at least 0, got ${value}`);
    needShare("echoState", "leak", leak);
    needShare("echoState", "density", density);
    const start = (x: tf.Tensor) => [tf.zeros([x.shape[0]!, units])];
    const given = (x: tf.Tensor, { input, bias }: Params): tf.Tensor => {
      const [n, length, width] = x.shape as [number, number, number];
      const rows = tf.matMul(tf.reshape(x, [n * length, width]), input as tf.Tensor2D);
      return tf.add(tf.reshape(rows, [n, length, units]), bias as tf.Tensor);
    };
    const next = ([h]: readonly tf.Tensor[], given: tf.Tensor, { state }: Params): tf.Tensor[] => {
      const fresh = tf.tanh(tf.add(given, tf.matMul(h as tf.Tensor2D, state as tf.Tensor2D)));
      return [leak === 1 ? fresh : tf.add(tf.mul(h!, 1 - leak), tf.mul(fresh, leak))];
    };
    return {
      options: { units, spectralRadius, leak, scale, density },
      shape: (input) => [requireVectors("echoState", input)[0], units],
      init(rng, [, inputs]): Params {
        const drawn = rng.at("state").uniforms([units, units], -1, 1);
        const there = tf.cast(tf.less(rng.at("there").uniforms([units, units], 0, 1), density), "float32");
        const state = tf.mul(drawn, there) as tf.Tensor2D;
        const radius = radiusOf(state);
        return {
          input: rng.at("input").uniforms([inputs!, units], -scale, scale),
          bias: rng.at("bias").uniforms([units], -scale, scale),
          // a few connections may go round nowhere: then there is nothing to scale
          state: radius > 0 ? tf.mul(state, spectralRadius / radius) : state,
        };
      },
      apply: (x, params, mode) => recur(next, start(x), given(x, params), { state: params.state! }, mode),
      recurs: (x, params, mode, states, keep) =>
        recurOn(next, states ?? start(x), given(x, params), { state: params.state! }, mode, keep),
    };
  },
);

/** The largest absolute eigenvalue, by Gelfand's formula: ‖Aᵏ‖^(1/k), where k = 2¹². */
function radiusOf(matrix: tf.Tensor2D): number {
  return tf
    .tidy(() => {
      let [power, logarithm] = [matrix, 0];
      for (let doubled = 0; doubled <= 12; doubled++) {
        const norm = tf.norm(power).dataSync()[0]!;
        if (!(norm > 0)) return tf.scalar(0);
        logarithm += Math.log(norm) / 2 ** doubled;
        const one = tf.div(power, norm) as tf.Tensor2D;
        power = tf.matMul(one, one);
      }
      return tf.scalar(Math.exp(logarithm));
    })
    .dataSync()[0]!;
}

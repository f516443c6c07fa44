import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { elapsed } from "../../parts/elapsed.ts";
import { recur, recurOn, requireVectors } from "../../parts/recurrence.ts";

/** Options of `ltc`. */
export interface LtcOptions {
  /** Steps of the solver from one place to the next. Default 6. */
  readonly steps?: number;
  /** Whether the last number of each vector is the time since the place before. Default false: it is 1. */
  readonly times?: boolean;
}

/**
 * Liquid units: leaky ones whose time constants depend on what comes in. `[length, inputs]` becomes `[length, units]`.
 *
 * Each unit has a capacity c and a leak g towards a resting value; a synapse from j lets in `w σ(s (v_j − μ))` towards a value e of its own. The
 * equation `c v′ = g (rest − v) + Σ_j w_j σ(s_j (v_j − μ_j)) (e_j − v)`, over the other units and the inputs, is solved by steps that are
 * implicit in v itself, so that it stays bounded. v begins as 0; capacities, leaks and weights are a softplus of what is trained.
 *
 * Hasani, Lechner, Amini, Rus and Grosu 2021, "Liquid time-constant networks", arXiv:2006.04439, algorithm 1, and the authors' program.
 * Every unit sees every input and every unit. A network of these or of `cfc` is trained once and follows what it meets.
 *
 * Implements: P120 Liquid NN vs incremental
 * Ayoubi et al. 2024, "Liquid neural network-based adaptive learning vs. incremental learning for link load prediction amid concept drift due to network failures",
 * arXiv:2404.05304; the comparison with a learner that is fitted anew now and then is a study.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().ltc(8).last().features([20, 2]); // [8]
 * ```
 */
export const ltc = layer(
  "ltc",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { steps = 6, times = false }: LtcOptions = {}) => {
    requireCount("ltc", "units", units);
    requireCount("ltc", "steps", steps);
    const start = (x: tf.Tensor) => [tf.zeros([x.shape[0]!, units])];
    /** What comes in from the inputs, to each unit: the sum of what is let in towards a value, and of what is let in; and the time. */
    const given = (x: tf.Tensor, params: Params): tf.Tensor => {
      const { values, time } = elapsed(x, times);
      const { scale, shift, ...synapses } = params.input as Synapses & {
        readonly [name in "scale" | "shift"]: tf.Tensor;
      };
      return tf.concat([letIn(tf.add(tf.mul(values, scale), shift), synapses), time], 2);
    };
    const next = ([v]: readonly tf.Tensor[], given: tf.Tensor, params: Params): tf.Tensor[] => {
      const [pulled, open, time] = tf.split(given, [units, units, 1], 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const { capacity, leak, rest } = params as { readonly [name in "capacity" | "leak" | "rest"]: tf.Tensor };
      const pace = tf.div(tf.softplus(capacity), tf.div(time, steps));
      const leaking = tf.softplus(leak);
      let now = v!;
      for (let k = 0; k < steps; k++) {
        const [towards, among] = tf.split(letIn(now, params.state as Synapses), 2, 1) as [tf.Tensor, tf.Tensor];
        const pulls = tf.add(tf.add(pulled, towards), tf.mul(leaking, rest));
        now = tf.div(tf.add(tf.mul(pace, now), pulls), tf.add(tf.add(pace, leaking), tf.add(open, among)));
      }
      return [now];
    };
    const own = ({ input: _, ...rest }: Params): Params => rest;
    return {
      options: { units, steps, ...(times && { times }) },
      shape: (input) => [requireVectors("ltc", input)[0], units],
      init(rng, [, width]): Params {
        const inputs = width! - (times ? 1 : 0);
        const synapses = (at: typeof rng, from: number): Params => ({
          weight: at.at("weight").uniforms([from, units], 0.001, 1),
          steepness: at.at("steepness").uniforms([from, units], 3, 8),
          middle: at.at("middle").uniforms([from, units], 0.3, 0.8),
          reversal: tf.sign(at.at("reversal").uniforms([from, units], -1, 1)),
        });
        return {
          input: { scale: tf.ones([inputs]), shift: tf.zeros([inputs]), ...synapses(rng.at("input"), inputs) },
          state: synapses(rng.at("state"), units),
          capacity: rng.at("capacity").uniforms([units], 0.4, 0.6),
          leak: rng.at("leak").uniforms([units], 0.001, 1),
          rest: rng.at("rest").uniforms([units], -0.2, 0.2),
        };
      },
      apply: (x, params, mode) => recur(next, start(x), given(x, params), own(params), mode),
      recurs: (x, params, mode, states, keep) =>
        recurOn(next, states ?? start(x), given(x, params), own(params), mode, keep),
    };
  },
);

type Synapses = { readonly [name in "weight" | "steepness" | "middle" | "reversal"]: tf.Tensor };

/** `[…, from]` to `[…, 2 · units]`: what the synapses let in times the value they pull to, then what they let in. */
function letIn(x: tf.Tensor, { weight, steepness, middle, reversal }: Synapses): tf.Tensor {
  const open = tf.mul(tf.softplus(weight), tf.sigmoid(tf.mul(steepness, tf.sub(tf.expandDims(x, -1), middle))));
  return tf.concat([tf.sum(tf.mul(open, reversal), -2), tf.sum(open, -2)], x.rank - 1);
}

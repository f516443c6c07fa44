import { tf } from "../../../engine/index.ts";
import { hippoMatrices } from "../../hippo-matrices.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { recurDense } from "../../parts/recur-dense.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { dense, logSteps, type Mixed, mixed, mixParams, requireMixed, throughChunks } from "../../parts/state-space.ts";

/** Options of `lssl`. */
export interface LsslOptions {
  /** The least and the greatest step of time at the beginning. Default [0.001, 0.1]. */
  readonly steps?: readonly [least: number, most: number];
  /** What the steps of time are multiplied by: 0.5 for sequences that are sampled twice as often as those it was trained on. Default 1. */
  readonly rate?: number;
  /** What comes after: a Gaussian error linear unit and a gated product, or nothing. Default "glu". */
  readonly mix?: Mixed;
}

/**
 * A linear state space layer: `[length, width]` keeps its shape.
 *
 * `x' = A x + B u`, `y = C x + D u` with `state` numbers for each channel; A and B, which all channels share, begin as HiPPO-LegS and are trained as C, D and the step Δ of each
 * channel are. The bilinear rule makes it discrete. One layer is three: a recurrence place by place, a convolution of all places, and a system in continuous time, whose step
 * another `rate` of sampling changes.
 *
 * Implements: P044 LSSL
 *
 * Gu, Johnson, Goel, Saab, Dao, Rudra and Ré 2021, "Combining recurrent, convolutional, and continuous-time models with linear state-space layers", arXiv:2110.13985,
 * sections 3 and 4. Differs from the paper: the trained A is any lower triangle rather than a product of diagonal and tridiagonal matrices; its `(1 − Δ/2 A)⁻¹` is the finite
 * series of a triangle, in as many products as the logarithm of `state`, and the responses come from powers of Ā by doubling. One output of a channel goes on, where the paper has some.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(32).lssl(16).features([100, 4]); // [100, 32]
 * ```
 */
export const lssl = layer(
  "lssl",
  { accepts: ["sequence"], gives: "sequence" },
  (state: number = 32, { steps = [0.001, 0.1], rate = 1, mix = "glu" }: LsslOptions = {}) => {
    requireCount("lssl", "state", state);
    requireMixed("lssl", mix);
    if (!(rate > 0)) throw new RangeError(`lssl: a rate above 0 is required, got ${rate}`);
    const below = Float32Array.from({ length: state * state }, (_, i) => (i % state < Math.floor(i / state) ? 1 : 0));
    /** Ā, `[width, state, state]`, and B̄ and C, `[width, state]`. */
    const discrete = (params: Params) => {
      const half = tf.mul(tf.exp(params.logStep as tf.Tensor), rate / 2);
      const [a, b] = [params.transition, params.input] as [tf.Tensor, tf.Tensor];
      const eye = tf.eye(state);
      const rest = tf.mul(a, tf.tensor2d(below, [state, state]));
      // 1 − Δ/2 A = d (1 + s), s below the diagonal: its inverse is (1 − s + s² − …) d⁻¹, whose powers end
      const each = tf.reshape(half, [-1, 1, 1]);
      const diagonal = tf.sub(1, tf.mul(tf.reshape(half, [-1, 1]), tf.sum(tf.mul(a, eye), 1)));
      const scaled = tf.reciprocal(diagonal);
      let power = tf.mul(tf.mul(tf.expandDims(scaled, 2), rest), each);
      let inverse = tf.add(eye, power);
      for (let known = 2; known < state; known *= 2) {
        power = tf.matMul(power, power);
        inverse = tf.add(inverse, tf.matMul(power, inverse));
      }
      const m = tf.mul(inverse, tf.expandDims(scaled, 1));
      return {
        a: tf.sub(tf.mul(m, 2), eye),
        b: tf.mul(tf.sum(tf.mul(m, b), 2), tf.mul(tf.expandDims(half, 1), 2)),
        c: params.readout as tf.Tensor,
      };
    };
    return {
      options: { state, steps: [...steps], ...(rate !== 1 && { rate }), mix },
      shape(input) {
        requireVectors("lssl", input);
        return input;
      },
      init(rng, [, width]): Params {
        const { a, b } = hippoMatrices("legs", state);
        return {
          logStep: logSteps(rng.at("step"), [width!], steps),
          transition: tf.tensor2d(Float32Array.from(a), [state, state]),
          input: tf.tensor1d(Float32Array.from(b)),
          readout: rng.at("readout").normals([width!, state], 0, 1 / Math.sqrt(state)),
          skip: rng.at("skip").normals([width!], 0, 1),
          ...mixParams(rng, width!, mix),
        };
      },
      apply(x, params, mode) {
        const { a, b, c } = discrete(params);
        const y = throughChunks(x, dense(a, b, c));
        return mixed(tf.add(y, tf.mul(x, params.skip as tf.Tensor)), params, mode, mix);
      },
      recurs(x, params, mode, states, keep) {
        const { a, b, c } = discrete(params);
        const [y, after] = recurDense(x, a, b, c, states?.[0] ?? null, keep);
        return [mixed(tf.add(y, tf.mul(x, params.skip as tf.Tensor)), params, mode, mix), [after]];
      },
    };
  },
);

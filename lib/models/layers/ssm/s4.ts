import { type Complex, complex, tf } from "../../../engine/index.ts";
import { hippoMatrices } from "../../hippo-matrices.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { inModes, legsFactors } from "../../parts/hippo-steps.ts";
import { recurDense } from "../../parts/recur-dense.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { dense, logSteps, type Mixed, mixed, mixParams, requireMixed, throughChunks } from "../../parts/state-space.ts";

/** Options of `s4`. */
export interface S4Options {
  /** The least and the greatest step of time at the beginning. Default [0.001, 0.1]. */
  readonly steps?: readonly [least: number, most: number];
  /** What comes after: a Gaussian error linear unit and a gated product, or nothing. Default "glu". */
  readonly mix?: Mixed;
}

/**
 * A structured state space for each channel of a sequence, that of HiPPO-LegS at the beginning: `[length, width]` keeps its shape.
 *
 * `x' = (Λ − P P*) x + B u`, `y = C x + D u` with `state` complex numbers in conjugate pairs, of which half are kept; Λ, P, B and C are trained, and the step Δ
 * of each channel. The bilinear rule makes it discrete, with Woodbury's identity for the inverse: `Ā = 2M − 1`, `B̄ = ΔMB`, `M = (1 − Δ/2 A)⁻¹`.
 *
 * Implements: P182 S4
 *
 * Gu, Goel and Ré 2021, "Efficiently modeling long sequences with structured state spaces", arXiv:2111.00396, section 3; A as in its appendix C.
 * Differs from the paper: the responses come from powers of Ā, by doubling, for chunks of 32 places, and not for the whole length from Cauchy products at the roots of
 * unity and a Fourier transform: at 64 states and some thousand places that is sooner done, and it knows any length.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(32).s4(16).features([100, 4]); // [100, 32]
 * ```
 */
export const s4 = layer(
  "s4",
  { accepts: ["sequence"], gives: "sequence" },
  (state: number = 64, { steps = [0.001, 0.1], mix = "glu" }: S4Options = {}) => {
    requireCount("s4", "half of state", state / 2);
    requireMixed("s4", mix);
    const half = state / 2;
    return {
      options: { state, steps: [...steps], mix },
      shape(input) {
        requireVectors("s4", input);
        return input;
      },
      init(rng, [, width]): Params {
        const factors = legsFactors(state);
        const rankOne = Float64Array.from({ length: state }, (_, n) => Math.sqrt(n + 0.5));
        const [p, b] = [inModes(factors, rankOne), inModes(factors, hippoMatrices("legs", state).b)];
        const tiled = (row: readonly number[]): tf.Tensor => tf.tile(tf.tensor2d([...row], [1, half]), [width!, 1]);
        return {
          logStep: logSteps(rng.at("step"), [width!], steps),
          decay: tiled(factors.im.map(() => Math.log(0.5))),
          frequency: tiled(factors.im),
          rankOne: { re: tiled(p.re), im: tiled(p.im) },
          input: { re: tiled(b.re), im: tiled(b.im) },
          readout: {
            re: rng.at("re").normals([width!, half], 0, Math.SQRT1_2),
            im: rng.at("im").normals([width!, half], 0, Math.SQRT1_2),
          },
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

/** Ā, B̄ and C over the real and then the imaginary parts of the states that are kept. */
function discrete(params: Params): { readonly a: tf.Tensor; readonly b: tf.Tensor; readonly c: tf.Tensor } {
  const column = (x: tf.Tensor): tf.Tensor => tf.expandDims(x, 1);
  const step = tf.exp(params.logStep as tf.Tensor);
  const parts = ({ re, im }: Complex): tf.Tensor => tf.concat([re, im], 1);
  const lambda = { re: tf.neg(tf.exp(params.decay as tf.Tensor)), im: params.frequency as tf.Tensor };
  const [p, b, c] = [params.rankOne, params.input, params.readout] as unknown as [Complex, Complex, Complex];
  const one = { re: tf.onesLike(lambda.re), im: tf.zerosLike(lambda.im) };
  // (1 − Δ/2 Λ)⁻¹, and with the term of rank one: in real and imaginary parts P P* is 2 q qᵀ
  const inverse = complex.over(one, complex.minus(one, complex.scaled(lambda, column(tf.mul(step, 0.5)))));
  const [right, left] = [parts(complex.times(inverse, p)), parts(complex.times(complex.conjugate(inverse), p))];
  const share = tf.div(step, tf.add(1, tf.mul(step, tf.sum(tf.mul(parts(p), right), 1))));
  const [re, im] = [inverse.re, inverse.im].map((x) => tf.mul(tf.expandDims(x, 2), tf.eye(x.shape[1]!)));
  const blocks = tf.concat([tf.concat([re!, tf.neg(im!)], 2), tf.concat([im!, re!], 2)], 1);
  const product = tf.mul(tf.expandDims(right, 2), tf.mul(tf.expandDims(left, 1), tf.reshape(share, [-1, 1, 1])));
  const m = tf.sub(blocks, product);
  return {
    a: tf.sub(tf.mul(m, 2), tf.eye(m.shape[1]!)),
    b: tf.mul(tf.squeeze(tf.matMul(m, tf.expandDims(parts(b), 2)), [2]), column(step)),
    c: tf.mul(tf.concat([c.re, tf.neg(c.im)], 1), 2),
  };
}

import { needOneOf } from "../../../data/options.ts";
import { type Complex, complex, linearScan, tf } from "../../../engine/index.ts";
import { hippoMatrices } from "../../hippo-matrices.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { legsModes } from "../../parts/hippo-steps.ts";
import { ptdFactors } from "../../parts/ptd-factors.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import {
  diagonal,
  keepFor,
  lastPlace,
  logSteps,
  type Mixed,
  mixed,
  mixParams,
  requireMixed,
  throughChunks,
} from "../../parts/state-space.ts";

/** Options of `s4d`. */
export interface S4dOptions {
  /**
   * Where the modes begin: `"lin"`, `−½ + iπk`; `"inv"`, `−½ + i N/π (N/(2k + 1) − 1)`; `"legs"`, the eigenvalues of the normal part of HiPPO-LegS; `"ptd"`, those of
   * LegS itself, perturbed so that it comes to a diagonal, with its B and as many modes as `state`. Default "lin".
   */
  readonly modes?: "lin" | "inv" | "legs" | "ptd";
  /** The least and the greatest step of time at the beginning. Default [0.001, 0.1]. */
  readonly steps?: readonly [least: number, most: number];
  /** What comes after: a Gaussian error linear unit and a gated product, or nothing. Default "glu". */
  readonly mix?: Mixed;
}

/**
 * A diagonal state space for each channel of a sequence: `[length, width]` keeps its shape.
 *
 * `x' = A x + u`, `y = Re(C x) + D u` with `state` complex numbers in conjugate pairs, of which half are kept. A step `Δ` of each channel makes it
 * discrete: `Ā = exp(ΔA)`, `B̄ = (Ā − 1)/A`. `A` has `−exp(decay)` as its real part, C begins as complex noise, D as noise. Long sequences go through in chunks of 32 places by
 * products of matrices; place by place it is the recurrence.
 *
 * Implements: P438 S4-PTD / S5-PTD
 * Yu, Nigmetov, Morozov, Mahoney and Erichson 2023, "Robustifying state-space models for long sequences via approximate diagonalization", arXiv:2310.01698: `modes: "ptd"`, which `s5` has too.
 * Differs from the paper: the perturbation is noise of a fixed size, and not searched for.
 *
 * Gu, Gupta, Goel and Ré 2022, "On the parameterization and initialization of diagonal state space models", arXiv:2206.11893, sections 3 and 4; the layer around it
 * is that of their program. Differs from the paper: within and across chunks instead of a Vandermonde product of the whole length and a Fourier transform.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(32).s4d(16).features([100, 4]); // [100, 32]
 * ```
 */
export const s4d = layer(
  "s4d",
  { accepts: ["sequence"], gives: "sequence" },
  (state: number = 64, { modes = "lin", steps = [0.001, 0.1], mix = "glu" }: S4dOptions = {}) => {
    requireCount("s4d", "half of state", state / 2);
    needOneOf("s4d", "modes", modes, ["lin", "inv", "legs", "ptd"]);
    requireMixed("s4d", mix);
    // those of a perturbed matrix are not all in pairs: each is kept
    const count = modes === "ptd" ? state : state / 2;
    return {
      options: { state, modes, steps: [...steps], mix },
      shape(input) {
        requireVectors("s4d", input);
        return input;
      },
      init(rng, [, width]): Params {
        const begin = beginning(modes, state);
        const tiled = (row: readonly number[]): tf.Tensor => tf.tile(tf.tensor2d([...row], [1, count]), [width!, 1]);
        return {
          logStep: logSteps(rng.at("step"), [width!], steps),
          decay: tiled(begin.re.map((re) => Math.log(-re))),
          frequency: tiled(begin.im),
          readout:
            modes === "ptd"
              ? perturbedReadout(rng.at("readout").normals([width!, state], 0, 1), state)
              : {
                  re: rng.at("re").normals([width!, count], 0, Math.SQRT1_2),
                  im: rng.at("im").normals([width!, count], 0, Math.SQRT1_2),
                },
          skip: rng.at("skip").normals([width!], 0, 1),
          ...mixParams(rng, width!, mix),
        };
      },
      apply(x, params, mode) {
        const { logA, b, c } = discrete(params);
        const y = throughChunks(x, diagonal(logA, b, c));
        return mixed(tf.add(y, tf.mul(x, params.skip as tf.Tensor)), params, mode, mix);
      },
      recurs(x, params, mode, states, keep) {
        const { logA, b, c } = discrete(params);
        const factor = complex.scaled(complex.exp(logA), keepFor(keep, 4));
        const u = tf.expandDims(x, 3);
        const first = states && { re: states[0]!, im: states[1]! };
        const all = linearScan(factor, complex.scaled(b, u), first);
        const y = tf.mul(tf.sum(complex.times(c, all).re, 3), 2);
        const out = mixed(tf.add(y, tf.mul(x, params.skip as tf.Tensor)), params, mode, mix);
        return [out, [lastPlace(all.re), lastPlace(all.im)]];
      },
    };
  },
);

/** The modes that a system begins with, one of each conjugate pair. */
function beginning(
  modes: NonNullable<S4dOptions["modes"]>,
  state: number,
): { readonly re: number[]; readonly im: number[] } {
  if (modes === "legs") return legsModes(state);
  if (modes === "ptd") {
    const { values } = ptdFactors(state);
    return { re: [...values.re], im: [...values.im] };
  }
  const k = Array.from({ length: state / 2 }, (_, k) => k);
  const im = k.map((k) => (modes === "lin" ? Math.PI * k : (state / Math.PI) * (state / (2 * k + 1) - 1)));
  return { re: k.map(() => -0.5), im };
}

/** Half of C V, each mode times its number of V⁻¹ B: the B of the layer is 1. */
function perturbedReadout(c: tf.Tensor, state: number): Params {
  const { vectors, inverse } = ptdFactors(state);
  const { b } = hippoMatrices("legs", state);
  const into = (of: Float64Array, j: number): number => b.reduce((sum, x, k) => sum + of[j * state + k]! * x, 0);
  const part = (entry: (i: number, re: number, im: number) => number): tf.Tensor => {
    const data = new Float32Array(state * state);
    for (let j = 0; j < state; j++) {
      const [re, im] = [into(inverse.re, j) / 2, into(inverse.im, j) / 2];
      for (let k = 0; k < state; k++) data[k * state + j] = entry(k * state + j, re, im);
    }
    return tf.matMul(c as tf.Tensor2D, tf.tensor2d(data, [state, state]));
  };
  return {
    re: part((i, re, im) => vectors.re[i]! * re - vectors.im[i]! * im),
    im: part((i, re, im) => vectors.re[i]! * im + vectors.im[i]! * re),
  };
}

/** The logarithm of Ā, B̄ and C of a layer's parameters, each `[width, modes]`. */
function discrete(params: Params): { readonly logA: Complex; readonly b: Complex; readonly c: Complex } {
  const a = { re: tf.neg(tf.exp(params.decay as tf.Tensor)), im: params.frequency as tf.Tensor };
  const logA = complex.scaled(a, tf.expandDims(tf.exp(params.logStep as tf.Tensor), 1));
  const grown = complex.exp(logA);
  return {
    logA,
    b: complex.over({ re: tf.sub(grown.re, 1), im: grown.im }, a),
    c: params.readout as unknown as Complex,
  };
}

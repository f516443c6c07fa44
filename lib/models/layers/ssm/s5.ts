import { needOneOf } from "../../../data/options.ts";
import { type Complex, complex, linearScan, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { legsFactors } from "../../parts/hippo-steps.ts";
import { ptdFactors } from "../../parts/ptd-factors.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { keepFor, lastPlace, logSteps, type Mixed, mixed, mixParams, requireMixed } from "../../parts/state-space.ts";

/** Options of `s5`. */
export interface S5Options {
  /** Blocks of the state, each of which begins as HiPPO-LegS's normal part of its size. Default 1. */
  readonly blocks?: number;
  /** Where Λ begins: as the eigenvalues of the normal part of HiPPO-LegS ("normal"), or of LegS itself, perturbed, of which each is kept ("ptd"). Default "normal". */
  readonly modes?: "normal" | "ptd";
  /** The least and the greatest step of time at the beginning. Default [0.001, 0.1]. */
  readonly steps?: readonly [least: number, most: number];
  /** Whether the last number of each place is a mark: 1 where a new sequence begins, before which the state is 0 again. Default false. */
  readonly resets?: boolean;
  /** What comes after: a Gaussian error linear unit and a gated product, or nothing. Default "glu". */
  readonly mix?: Mixed;
}

/**
 * One diagonal state space over all channels of a sequence: `[length, width]` keeps its shape; with `resets` the mark at the end of each place is left out.
 *
 * `x' = Λ x + B u`, `y = Re(C x) + D ∘ u` with `state` complex numbers in conjugate pairs, of which half are kept, and a step Δ for each of these: `Λ̄ = exp(ΛΔ)`, `B̄ = (Λ̄ −
 * 1)/Λ B`. All places at once by a linear scan, or place by place. Λ has `−exp(decay)` as its real part and begins as the eigenvalues of the normal part of HiPPO-LegS,
 * in whose basis B and C are drawn.
 *
 * With `resets` it is the recurrence of episodes that follow each other in one sequence: where a mark is 1 the factor of the state is 0, and what came before is forgotten
 * within the same scan.
 *
 * Implements: P091 S5
 * Implements: P023 Resettable S5 for in-context RL
 *
 * Smith, Warrington and Linderman 2022, "Simplified state space layers for sequence modeling", arXiv:2208.04933, section 3; resets: Lu et al. 2023, "Structured state space
 * models for in-context reinforcement learning", arXiv:2303.03982, section 3.1. Differs from the second: a mark is a factor of 0 in the scan and not a third element of
 * its operation, which comes to the same states.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(32).s5(16).features([100, 4]); // [100, 32]
 * net().s5(16, { resets: true }).features([100, 5]); // [100, 4]
 * ```
 */
export const s5 = layer(
  "s5",
  { accepts: ["sequence"], gives: "sequence" },
  (
    state: number = 64,
    { blocks = 1, modes = "normal", steps = [0.001, 0.1], resets = false, mix = "glu" }: S5Options = {},
  ) => {
    requireCount("s5", "blocks", blocks);
    requireCount("s5", "half of the state of a block", state / 2 / blocks);
    requireMixed("s5", mix);
    needOneOf("s5", "modes", modes, ["normal", "ptd"]);
    const count = modes === "ptd" ? state : state / 2;
    const own = (width: number): number => width - (resets ? 1 : 0);
    /** What comes in without its marks, and where the state goes on. */
    const apart = (x: tf.Tensor): readonly [tf.Tensor, tf.Tensor | null] => {
      if (!resets) return [x, null];
      const width = x.shape[2]! - 1;
      const [u, mark] = tf.split(x, [width, 1], 2) as [tf.Tensor, tf.Tensor];
      return [u, tf.sub(1, mark)];
    };
    const run = (x: tf.Tensor, params: Params, mode: Mode, first: Complex | null, keep: tf.Tensor | null) => {
      const [u, goesOn] = apart(x);
      const { a, b } = discrete(params);
      const both = tf.matMul(tf.reshape(u, [-1, u.shape[2]!]), tf.concat([b.re, b.im], 1) as tf.Tensor2D);
      const [re, im] = tf.split(tf.reshape(both, [...u.shape.slice(0, 2), -1]), 2, 2) as [tf.Tensor, tf.Tensor];
      const goes = [goesOn, keep && keepFor(keep, 3)].filter((one) => one !== null);
      const factor = goes.reduce((a, one) => complex.scaled(a, one), a);
      const all = linearScan(factor, { re, im }, first);
      const c = params.readout as unknown as Complex;
      const read = tf.concat([tf.mul(c.re, 2), tf.mul(c.im, -2)], 0) as tf.Tensor2D;
      const joined = tf.concat([all.re, all.im], 2);
      const y = tf.reshape(tf.matMul(tf.reshape(joined, [-1, joined.shape[2]!]), read), u.shape);
      return [mixed(tf.add(y, tf.mul(u, params.skip as tf.Tensor)), params, mode, mix), all] as const;
    };
    return {
      options: {
        state,
        blocks,
        ...(modes !== "normal" && { modes }),
        steps: [...steps],
        ...(resets && { resets }),
        mix,
      },
      shape(input) {
        requireVectors("s5", input);
        if (own(input[1]!) < 1)
          throw new RangeError(`s5: numbers beside the mark of each place are required, got shape [${input}]`);
        return [input[0]!, own(input[1]!)];
      },
      init(rng, [, given]): Params {
        const width = own(given!);
        const size = state / blocks;
        const { values, into, out } = beginning(modes, size);
        const tiled = (row: readonly number[]): tf.Tensor => tf.tile(tf.tensor1d([...row]), [blocks]);
        // V⁻¹ B and C V, block by block
        const b = tf.reshape(rng.at("input").normals([width, state], 0, 1 / Math.sqrt(width)), [
          width * blocks,
          size,
        ]) as tf.Tensor2D;
        const c = tf.reshape(rng.at("readout").normals([width, state], 0, 1 / Math.sqrt(state)), [
          width * blocks,
          size,
        ]) as tf.Tensor2D;
        const turned = (of: tf.Tensor2D, by: tf.Tensor2D): tf.Tensor => tf.reshape(tf.matMul(of, by), [width, count]);
        return {
          logStep: logSteps(rng.at("step"), [count], steps),
          decay: tiled(values.re.map((re) => Math.log(-re))),
          frequency: tiled(values.im),
          input: { re: turned(b, into.re), im: turned(b, into.im) },
          readout: { re: tf.transpose(turned(c, out.re)), im: tf.transpose(turned(c, out.im)) },
          skip: rng.at("skip").normals([width], 0, 1),
          ...mixParams(rng, width, mix),
        };
      },
      apply: (x, params, mode) => run(x, params, mode, null, null)[0],
      recurs(x, params, mode, states, keep) {
        const [y, all] = run(x, params, mode, states && { re: states[0]!, im: states[1]! }, keep);
        return [y, [lastPlace(all.re), lastPlace(all.im)]];
      },
    };
  },
);

/** Λ, and the matrices that rows of B and of C are multiplied by, so that `y = 2 Re(C x)`. */
function beginning(modes: "normal" | "ptd", size: number) {
  const matrix = (entry: (row: number, column: number) => number, columns: number): tf.Tensor2D =>
    tf.tensor2d(
      Float32Array.from({ length: size * columns }, (_, i) => entry(Math.floor(i / columns), i % columns)),
      [size, columns],
    );
  if (modes === "ptd") {
    const { values, vectors, inverse } = ptdFactors(size);
    const turned = (of: Float64Array): tf.Tensor2D => matrix((k, j) => of[j * size + k]!, size);
    const half = (of: Float64Array): tf.Tensor2D => matrix((k, j) => of[k * size + j]! / 2, size);
    return {
      values: { re: [...values.re], im: [...values.im] },
      into: { re: turned(inverse.re), im: turned(inverse.im) },
      out: { re: half(vectors.re), im: half(vectors.im) },
    };
  }
  const { im, vectors } = legsFactors(size);
  const plain = (of: Float64Array, sign: number): tf.Tensor2D =>
    matrix((k, j) => sign * of[(k * size) / 2 + j]!, size / 2);
  return {
    values: { re: im.map(() => -0.5), im },
    into: { re: plain(vectors.re, 1), im: plain(vectors.im, -1) },
    out: { re: plain(vectors.re, 1), im: plain(vectors.im, 1) },
  };
}

/** Λ̄, `[modes]`, and B̄, `[width, modes]`. */
function discrete(params: Params): { readonly a: Complex; readonly b: Complex } {
  const lambda = { re: tf.neg(tf.exp(params.decay as tf.Tensor)), im: params.frequency as tf.Tensor };
  const a = complex.exp(complex.scaled(lambda, tf.exp(params.logStep as tf.Tensor)));
  const scale = complex.over({ re: tf.sub(a.re, 1), im: a.im }, lambda);
  return { a, b: complex.times(params.input as unknown as Complex, scale) };
}

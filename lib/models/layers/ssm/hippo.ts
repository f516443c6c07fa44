import { scan, tf } from "../../../engine/index.ts";
import { hippoMatrices, type Measure } from "../../hippo-matrices.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { hippoSteps } from "../../parts/hippo-steps.ts";
import { product, productParams } from "../../parts/product.ts";
import { goOn, requireVectors } from "../../parts/recurrence.ts";

/** Options of `hippo`. */
export interface HippoOptions {
  /** Coefficients that the memory keeps. Default 32. */
  readonly order?: number;
  /** What it is of: all that was ("legs"), a sliding window ("legt"), what was, fading ("lagt"). Default "legs". */
  readonly measure?: Measure;
  /** Places of the window, or of the fading; of "legs" the most places that it knows piece by piece. Default 1024. */
  readonly window?: number;
}

/**
 * A gated recurrence with a memory of optimal polynomial projections: `[length, inputs]` becomes `[length, units]`.
 *
 * Of the place, of the memory c and of the state h come a gate `g = σ(…)` and what is new, `h ← h + g (tanh(…) − h)`; one number of h, `f = w h`, is remembered: `c ← Ā c
 * + B̄ f`, the coefficients of f's past in a basis of polynomials, which nothing trains. "legs" is of all the past, in a scale of time of its own: it has no step of time, and
 * knows as many places as it was made for.
 *
 * Implements: P107 HiPPO
 *
 * Gu, Dao, Ermon, Rudra and Ré 2020, "HiPPO: Recurrent memory with optimal polynomial projections", arXiv:2008.07669, section 2.5 (figure 2) and appendix B.3 (bilinear rule).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().hippo(16, { order: 8 }).last().features([100, 1]); // [16]
 * ```
 */
export const hippo = layer(
  "hippo",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { order = 32, measure = "legs", window = 1024 }: HippoOptions = {}) => {
    for (const [name, value] of Object.entries({ units, order, window })) requireCount("hippo", name, value);
    hippoMatrices(measure, 1);
    const isTimed = measure === "legs";
    /** Ā and B̄ of each place, `[places, …]`, or of all. */
    const steps = (length: number): Steps => {
      const { count, a, b } = hippoSteps(measure, order, length, window);
      return { a: tf.tensor3d(a, [count, order, order]), b: tf.tensor3d(b, [count, 1, order]) };
    };
    const next = ([h, c]: State, given: tf.Tensor, { a, b }: Steps, params: Params, mode: Mode): State => {
      const sums = tf.add(given, product(tf.concat([h, c], 1), params, "state", mode));
      const [gate, fresh] = tf.split(sums, 2, 1) as [tf.Tensor, tf.Tensor];
      const state = tf.add(h, tf.mul(tf.sigmoid(gate), tf.sub(tf.tanh(fresh), h)));
      const kept = product(state, params, "kept", mode);
      // of all rows, or of each row
      const moved =
        a.shape[0] === 1
          ? tf.matMul(c as tf.Tensor2D, tf.squeeze(a, [0]) as tf.Tensor2D, false, true)
          : tf.squeeze(tf.matMul(tf.expandDims(c, 1), a, false, true), [1]);
      return [state, tf.add(moved, tf.mul(kept, tf.squeeze(b, [1])))];
    };
    const start = (n: number): State => [tf.zeros([n, units]), tf.zeros([n, order])];
    return {
      options: { units, order, measure, window },
      shape(input) {
        requireVectors("hippo", input);
        return [input[0]!, units];
      },
      init: (rng, [, inputs]): Params => ({
        input: productParams(rng.at("input"), inputs!, 2 * units),
        state: productParams(rng.at("state"), units + order, 2 * units),
        kept: productParams(rng.at("kept"), units, 1),
      }),
      apply(x, params, mode) {
        const { a, b } = steps(x.shape[1]!);
        const given = tf.transpose(product(x, params, "input", mode), [1, 0, 2]);
        const each = { a: tf.expandDims(a, 1), b: tf.expandDims(b, 1) };
        const [, all] = scan(
          (
            state: State,
            at: { readonly given: tf.Tensor } & Partial<Steps>,
            own: { readonly params: Params } & Partial<Steps>,
          ) => {
            const after = next(state, at.given, { a: (at.a ?? own.a)!, b: (at.b ?? own.b)! }, own.params, mode);
            return [after, after[0]] as const;
          },
          start(x.shape[0]!),
          { given, ...(isTimed && each) },
          { params, ...(!isTimed && { a, b }) },
        );
        return tf.transpose(all, [1, 0, 2]);
      },
      recurs(x, params, mode, states, keep) {
        const n = x.shape[0]!;
        const [y, after] = goOn(
          ([h, c, at], given, own) => {
            const { params, all } = own as unknown as { readonly params: Params; readonly all: Steps };
            const row = tf.cast(tf.reshape(tf.minimum(at!, window - 1), [n]), "int32");
            const here = isTimed ? { a: tf.gather(all.a, row), b: tf.gather(all.b, row) } : all;
            const state = next([h!, c!], given, here, params, mode);
            return [state[0], [...state, tf.add(at!, 1)]];
          },
          states ?? [...start(n), tf.zeros([n, 1])],
          product(x, params, "input", mode),
          { params, all: steps(isTimed ? window : 1) as never },
          keep,
        );
        return [y, after];
      },
      ...(isTimed && { reach: () => window }),
    };
  },
);

type State = readonly [h: tf.Tensor, c: tf.Tensor];
/** Ā and B̄, of one place or of several. */
interface Steps {
  readonly a: tf.Tensor;
  readonly b: tf.Tensor;
}

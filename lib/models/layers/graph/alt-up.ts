import { tf } from "../../../engine/index.ts";
import { composite, type Inner, innerModel } from "../../composite.ts";
import { type Layer, requireCount, sameLayer } from "../../layer.ts";
import { inRow } from "../../parts/named.ts";

/** Options of `altUp`. */
export interface AltUpOptions {
  /** Which part of the vectors goes through the layers, from 0. Default 0. */
  readonly active?: number;
}

/**
 * Vectors of several parts of which one alone goes through some layers; the others are predicted, and corrected by what came of it.
 *
 * `[length, parts · d]` keeps its shape; the layers take and give `[length, d]`. With x the parts and a the active one, `x̂_i = Σ_j p_ij x_j` is predicted, `x̃ = L(x_a)`
 * computed, and part i becomes `x̂_i + g_i (x̃ − x̂_a)`. p begins as the identity, g as ones. Let the active part alternate from layer to layer: vectors are as
 * many times as wide as there are parts, for the work of one.
 *
 * Implements: P095 AltUp
 * Baykal et al. 2023, "Alternating updates for efficient transformers", arXiv:2301.13310, algorithm 1. Differs from the paper: embeddings are as wide as the vectors, where
 * Recycled-AltUp repeats narrow ones; of sequences no places are skipped.
 *
 * @throws RangeError when the parts do not divide the width, or the layers give another shape than they take.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const model = net().embedding(9, 32).altUp(2, (n) => n.transformer(2)).altUp(2, (n) => n.transformer(2), { active: 1 });
 * model.features([5]); // [5, 32]
 * ```
 */
export const altUp = composite(
  "altUp",
  (parts: number, inner: Inner, { active = 0 }: AltUpOptions = {}) => {
    requireCount("altUp", "parts", parts, 2);
    requireCount("altUp", "active", active, 0);
    if (active >= parts) throw new RangeError(`altUp: an active part below ${parts} is required, got ${active}`);
    const made = (layer: Layer) => ({ model: inRow([layer]), made: true });
    return {
      options: { parts, ...(active !== 0 && { active }) },
      parts: [
        { name: "", model: innerModel(inner) },
        { name: "predict", ...made(predicted(parts)) },
        { name: "active", ...made(part(parts, active)) },
        { name: "correct", ...made(corrected(parts, active)) },
      ],
      gives: "same",
      fits(input) {
        if (input.at(-1)! % parts !== 0)
          throw new RangeError(
            `altUp: a width that ${parts} parts divide is required, got shape [${input}]; widen what is before`,
          );
      },
      flow: (x, { pass, join }) => pass(3, join("concat", [pass(1, x), pass(0, pass(2, x))])),
    };
  },
  (options, [inner]) => {
    const { parts, ...rest } = options as unknown as AltUpOptions & { readonly parts: number };
    return [parts, inner!, rest];
  },
);

/** `[…, parts, d]` of `[…, parts · d]`. */
function apart(x: tf.Tensor, parts: number): tf.Tensor {
  return tf.reshape(x, [-1, parts, x.shape.at(-1)! / parts]);
}

/** Mixtures of the parts. */
const predicted = sameLayer("predict", (parts: number) => ({
  options: { parts },
  byPlace: true,
  shape: (input) => input,
  init: () => ({ shares: tf.tidy(() => tf.keep(tf.eye(parts) as tf.Tensor)) }),
  apply(x, { shares }) {
    const columns = tf.transpose(apart(x, parts), [0, 2, 1]);
    const mixed = tf.matMul(tf.reshape(columns, [-1, parts]), shares as tf.Tensor2D, false, true);
    return tf.reshape(tf.transpose(tf.reshape(mixed, columns.shape), [0, 2, 1]), x.shape);
  },
}));

/** One of the parts. */
const part = sameLayer("active", (parts: number, which: number) => ({
  options: { parts, which },
  byPlace: true,
  shape: (input) => [...input.slice(0, -1), input.at(-1)! / parts],
  apply: (x) => tf.split(x, parts, -1)[which]!,
}));

/** Predicted parts, and behind them what was computed of the active one, as the parts that are corrected by it. */
const corrected = sameLayer("correct", (parts: number, active: number) => ({
  options: { parts, active },
  byPlace: true,
  shape: (input) => [...input.slice(0, -1), (input.at(-1)! / (parts + 1)) * parts],
  init: () => ({ gains: tf.ones([parts, 1]) }),
  apply(x, { gains }) {
    const all = apart(x, parts + 1);
    const [rows, , d] = all.shape as [number, number, number];
    const [old, fresh] = tf.split(all, [parts, 1], 1) as [tf.Tensor, tf.Tensor];
    const change = tf.sub(fresh, tf.slice(old, [0, active, 0], [rows, 1, d]));
    return tf.reshape(tf.add(old, tf.mul(change, gains as tf.Tensor)), [...x.shape.slice(0, -1), parts * d]);
  },
}));

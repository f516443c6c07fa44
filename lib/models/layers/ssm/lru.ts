import { linearScan, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product } from "../../parts/product.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { keepFor, lastPlace } from "../../parts/state-space.ts";
import { kernelParams } from "../../parts/stateful.ts";

/** Options of `lru`. */
export interface LruOptions {
  /** Between which sizes the factors of the state begin, below 1. Default [0.4, 0.99]. */
  readonly ring?: readonly [least: number, most: number];
  /** The largest angle by which a factor turns at first. Default π. */
  readonly turn?: number;
}

/**
 * A linear recurrent unit: numbers of a complex state that are each multiplied by a factor of their own from place to place, and nothing else.
 *
 * `h ← λ ∘ h + γ ∘ B u`, `y = Re(C h) + d ∘ u`, `λ = exp(−e^ν + i θ)`, `γ = √(1 − |λ|²)` at first. There is no nonlinearity: dense layers behind it make of what the
 * state remembers whatever is asked. All places at once are one scan. Sequences of vectors keep their shape.
 *
 * Implements: P067 Universality of LRU+MLP
 * Orvieto, De, Gulcehre, Pascanu and Smith 2024, "Universality of linear recurrences followed by non-linear projections", arXiv:2307.11888, of the layer of Orvieto et al.
 * 2023, arXiv:2303.06349, section 3; `lru(…).dense(…).gelu().dense(…)` is what its theorem is about.
 *
 * @throws RangeError unless 0 < least ≤ most < 1 for the ring.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).lru(32).dense(64).gelu().dense(16).features([100]); // [100, 16]
 * ```
 */
export const lru = sameLayer(
  "lru",
  (state: number, { ring = [0.4, 0.99], turn = Math.PI }: LruOptions = {}) => {
    requireCount("lru", "state", state);
    const [least, most] = ring;
    if (!(least > 0 && least <= most && most < 1))
      throw new RangeError(`lru: a ring between 0 and 1 is required, got [${ring}]`);
    const run = (
      x: tf.Tensor,
      params: Params,
      mode: Mode,
      states: readonly tf.Tensor[] | null,
      keep: tf.Tensor | null,
    ): readonly [tf.Tensor, readonly tf.Tensor[]] => {
      const { size, angle, scale } = params.factors as { readonly [part: string]: tf.Tensor };
      const length = tf.exp(tf.neg(tf.exp(size!)));
      const factor = (part: tf.Tensor): tf.Tensor => {
        const all = tf.reshape(tf.mul(length, part), [1, 1, state]);
        return keep === null ? all : tf.mul(all, keepFor(keep, 3));
      };
      const given = tf.mul(product(x, params, "in", mode), tf.tile(tf.exp(scale!), [2]));
      const [re, im] = tf.split(given, 2, 2) as [tf.Tensor, tf.Tensor];
      const first = states === null ? null : { re: states[0]!, im: states[1]! };
      const h = linearScan({ re: factor(tf.cos(angle!)), im: factor(tf.sin(angle!)) }, { re, im }, first);
      const read = product(tf.concat([h.re, h.im], 2), params, "out", mode);
      return [tf.add(read, tf.mul(x, params.skip as tf.Tensor)), [lastPlace(h.re), lastPlace(h.im)]];
    };
    return {
      options: { state, ...(String(ring) !== "0.4,0.99" && { ring: [...ring] }), ...(turn !== Math.PI && { turn }) },
      shape(input) {
        requireVectors("lru", input);
        return input;
      },
      init(rng, [, units]): Params {
        // evenly over the ring between the two sizes
        const squares = rng.at("sizes").uniforms([state], least ** 2, most ** 2);
        const logs = tf.mul(0.5, tf.log(squares));
        return {
          factors: {
            size: tf.log(tf.neg(logs)),
            angle: rng.at("angles").uniforms([state], 0, turn),
            scale: tf.mul(0.5, tf.log(tf.sub(1, squares))),
          },
          in: kernelParams(rng.at("in"), units!, 2 * state),
          out: kernelParams(rng.at("out"), 2 * state, units!),
          skip: rng.at("skip").normals([units!], 0, 1),
        };
      },
      apply: (x, params, mode) => run(x, params, mode, null, null)[0],
      recurs: run,
    };
  },
  ["sequence"],
);

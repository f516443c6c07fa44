import { type Complex, complex, linearScan, nn, tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { factorsOf, unrolled } from "../../parts/mixing.ts";
import { product, productParams } from "../../parts/product.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { keepFor, lastPlace } from "../../parts/state-space.ts";

/**
 * A linear recurrence that the data control in full, with a complex number of state in each channel: `[length, width]` keeps its shape.
 *
 * Queries, keys, values and gates come from the place: `h ← a h + k v`, `y = Re(q h)`, where `a = σ(α) exp(iθ)` turns and keeps as the place says; what comes out is
 * gated by `silu(g)` before a last product. It equals attention over `q_l k_m v_m` weighted with the product of the gates between.
 *
 * Implements: P163 GateLoop
 *
 * Katsch 2023, "GateLoop: fully data-controlled linear recurrence for sequence modeling", arXiv:2311.01927, section 3, with as many heads as channels, which the paper takes.
 * Differs from the paper: what comes out is not normalised before it is gated.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).gateLoop().features([100]); // [100, 16]
 * ```
 */
export const gateLoop = layer("gateLoop", { accepts: ["sequence"], gives: "sequence" }, () => {
  const run = (x: tf.Tensor, params: Params, mode: Mode, first: Complex | null, keep: tf.Tensor | null) => {
    const [query, key, value, gate, magnitude, phase] = tf.split(product(x, params, "in", mode), 6, 2) as tf.Tensor[];
    const size = tf.sigmoid(magnitude!);
    const factor = complex.scaled(
      { re: tf.cos(phase!), im: tf.sin(phase!) },
      keep ? tf.mul(size, keepFor(keep, 3)) : size,
    );
    const re = tf.mul(key!, value!);
    const all = linearScan(factor, { re, im: tf.zerosLike(re) }, first);
    const y = product(tf.mul(tf.mul(query!, all.re), nn.silu(gate!)), params, "out", mode);
    return [y, [lastPlace(all.re), lastPlace(all.im)]] as const;
  };
  return {
    options: {},
    shape(input) {
      requireVectors("gateLoop", input);
      return input;
    },
    init: (rng, [, width]): Params => ({
      in: productParams(rng.at("in"), width!, 6 * width!),
      out: productParams(rng.at("out"), width!, width!),
    }),
    apply: (x, params, mode) => run(x, params, mode, null, null)[0],
    mixes(x, params, mode) {
      const [query, key, values, gate, magnitude, phase] = tf.split(product(x, params, "in", mode), 6, 2) as Six;
      const core = unrolled(
        (units, [query, key, magnitude, phase]) => {
          const size = tf.sigmoid(magnitude!);
          const factor = complex.scaled({ re: tf.cos(phase!), im: tf.sin(phase!) }, size);
          const re = tf.mul(key!, units);
          return tf.mul(query!, linearScan(factor, { re, im: tf.zerosLike(re) }).re);
        },
        values.shape as [number, number, number],
        [query, key, magnitude, phase],
      );
      return {
        core,
        weights: tf.mul(factorsOf(nn.silu(gate), "to"), core),
        values,
        rest: null,
        out: (mixed) => product(mixed, params, "out", mode),
      };
    },
    recurs: (x, params, mode, states, keep) => run(x, params, mode, states && { re: states[0]!, im: states[1]! }, keep),
  };
});

type Six = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

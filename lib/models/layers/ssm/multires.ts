import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { placesBefore, requireVectors } from "../../parts/recurrence.ts";
import { type Mixed, mixed, mixParams, requireMixed } from "../../parts/state-space.ts";

/** Options of `multires`. */
export interface MultiresOptions {
  /** Levels of the tree: a place sees `(taps − 1) · (2^depth − 1)` places before it. Default 8. */
  readonly depth?: number;
  /** Taps of the two filters. Default 2. */
  readonly taps?: number;
  /** What comes after: a Gaussian error linear unit and a gated product, or nothing. Default "glu". */
  readonly mix?: Mixed;
}

/**
 * A memory of several resolutions, a tree of causal convolutions: `[length, width]` keeps its shape.
 *
 * Each channel has two filters, shared by all levels: at level j, dilated 2ʲ times, the one gives the details of the resolution and the other what the next level sees, as in a
 * transform by wavelets. A place gives the sum of its details, of the last coarse part and of itself, each with a weight of the channel.
 *
 * Implements: P082 MultiresConv
 *
 * Shi, Wang and Fox 2023, "Sequence modeling with multiresolution convolutional memory", arXiv:2305.01638, algorithm 1 (the fading tree) and section 3.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).multires({ depth: 5 }).features([32, 3]); // [32, 16]
 * ```
 */
export const multires = layer(
  "multires",
  { accepts: ["sequence"], gives: "sequence" },
  ({ depth = 8, taps = 2, mix = "glu" }: MultiresOptions = {}) => {
    requireCount("multires", "depth", depth);
    requireCount("multires", "taps", taps, 2);
    requireMixed("multires", mix);
    /** The tree over what each level sees: `behind(level, x)` puts the places before in front of `x`, `seen` says which of them count. */
    const tree = (
      x: tf.Tensor,
      params: Params,
      mode: Mode,
      behind: (level: number, x: tf.Tensor) => tf.Tensor,
      seen: (back: number) => tf.Tensor | null,
    ): tf.Tensor => {
      const [n, length, width] = x.shape as [number, number, number];
      const { detail, coarse, weights } = params as Readonly<Record<string, tf.Tensor>>;
      const row = (of: tf.Tensor, k: number): tf.Tensor => tf.slice(of, [k, 0], [1, width]);
      let low = x;
      let y = tf.mul(x, row(weights!, depth + 1));
      for (let level = 0; level < depth; level++) {
        const all = behind(level, low);
        const before = all.shape[1]! - length;
        const at = Array.from({ length: taps }, (_, k) => {
          const back = (taps - 1 - k) * 2 ** level;
          const own = tf.slice(all, [0, before - back, 0], [n, length, width]);
          const counts = back === 0 ? null : seen(back);
          return counts ? tf.mul(own, counts) : own;
        });
        const filtered = (filter: tf.Tensor): tf.Tensor => tf.addN(at.map((own, k) => tf.mul(own, row(filter, k))));
        y = tf.add(y, tf.mul(filtered(detail!), row(weights!, depth - level)));
        low = filtered(coarse!);
      }
      return mixed(tf.add(y, tf.mul(low, row(weights!, 0))), params, mode, mix);
    };
    const reachOf = (level: number): number => (taps - 1) * 2 ** level;
    return {
      options: { depth, taps, mix },
      shape(input) {
        requireVectors("multires", input);
        return input;
      },
      init(rng, [, width]): Params {
        const bound = Math.sqrt(2 / (taps * 2));
        const filter = (name: string): tf.Tensor => rng.at(name).uniforms([taps, width!], -bound, bound);
        return {
          detail: filter("detail"),
          coarse: filter("coarse"),
          weights: rng.at("weights").uniforms([depth + 2, width!], -1 / Math.sqrt(depth + 2), 1 / Math.sqrt(depth + 2)),
          ...mixParams(rng, width!, mix),
        };
      },
      apply: (x, params, mode) =>
        tree(
          x,
          params,
          mode,
          (level, low) =>
            tf.pad(low, [
              [0, 0],
              [reachOf(level), 0],
              [0, 0],
            ]),
          () => null,
        ),
      recurs(x, params, mode, states, keep) {
        const [n, length, width] = x.shape as [number, number, number];
        const [at, after] = placesBefore(states, keep);
        const rest: tf.Tensor[] = [];
        const y = tree(
          x,
          params,
          mode,
          (level, low) => {
            const all = tf.concat([states?.[level + 1] ?? tf.zeros([n, reachOf(level), width]), low], 1);
            rest.push(tf.slice(all, [0, length, 0], [n, reachOf(level), width]));
            return all;
          },
          (back) => tf.expandDims(tf.cast(tf.greaterEqual(at, back), "float32"), 2),
        );
        return [y, [after, ...rest]];
      },
    };
  },
);

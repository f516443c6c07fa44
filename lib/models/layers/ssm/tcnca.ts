import { nn, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { lookBack } from "../../parts/look-back.ts";
import { product, productParams } from "../../parts/product.ts";
import { placesBefore, requireVectors } from "../../parts/recurrence.ts";
import { causalConv } from "../conv/causal-conv.ts";

/** Options of `tcnca`. */
export interface TcncaOptions {
  /** Places that look at each other. Default 32. */
  readonly chunk?: number;
  /** Convolutions, each dilated `factor` times as much as the one before. Default 4. */
  readonly depth?: number;
  /** Default 2. */
  readonly factor?: number;
  /** Taps of a filter. Default 3. */
  readonly taps?: number;
  /** Numbers in queries and keys. Default 16. */
  readonly keys?: number;
}

/**
 * A temporal convolution network with chunked attention: `[length, width]` keeps its shape.
 *
 * Dilated causal convolutions of each channel, rectified smoothly and added, carry what was before along the whole sequence, `c`; of c come queries and keys, of the places values twice as wide, and places
 * look at those before them in their chunk, with a trained number for each distance. Two gates of c let in what was found: `y = φ h + (1 − φ) x` with `h = silu(W c + U (γ o))`.
 *
 * Implements: P039 TCNCA
 *
 * Terzić, Hersche, Karunaratne, Benini, Sebastian and Rahimi 2023, "TCNCA: temporal convolution network with chunked attention for scalable sequence processing", arXiv:2312.05605, in the place of the moving
 * average of Ma et al. 2022 (MEGA), arXiv:2209.10655, section 3, whose gated attention it is. Written from the abstract and from MEGA: how the convolutions are stacked is ours.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).layerNorm().tcnca({ chunk: 16 }).features([100]); // [100, 16]
 * ```
 */
export const tcnca = layer(
  "tcnca",
  { accepts: ["sequence"], gives: "sequence" },
  ({ chunk = 32, depth = 4, factor = 2, taps = 3, keys = 16 }: TcncaOptions = {}) => {
    for (const [name, value] of Object.entries({ chunk, depth, factor, taps, keys }))
      requireCount("tcnca", name, value);
    const convs = Array.from({ length: depth }, (_, i) => causalConv(taps, { dilation: factor ** i }));
    const convParams = (params: Params, i: number): Params => params[`conv${i + 1}`] as Params;
    /** Queries, keys and values, and what makes the output of what was found. */
    const parts = (x: tf.Tensor, carried: tf.Tensor, params: Params, mode: Mode) => {
      const shared = nn.silu(product(carried, params, "shared", mode));
      const scaled = (which: string): tf.Tensor => {
        const { scale, shift } = params[which] as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
        return tf.add(tf.mul(shared, scale), shift);
      };
      const value = nn.silu(product(x, params, "value", mode));
      const end = (found: tf.Tensor): tf.Tensor => {
        const reset = nn.silu(product(carried, params, "reset", mode));
        const update = tf.sigmoid(product(carried, params, "update", mode));
        const fresh = nn.silu(
          tf.add(product(carried, params, "fresh", mode), product(tf.mul(reset, found), params, "found", mode)),
        );
        return tf.add(x, tf.mul(update, tf.sub(fresh, x)));
      };
      return { query: tf.mul(scaled("query"), 1 / Math.sqrt(keys)), key: scaled("key"), value, end };
    };
    return {
      options: { chunk, depth, factor, taps, keys },
      shape(input) {
        requireVectors("tcnca", input);
        return input;
      },
      init(rng, [length, width]): Params {
        const wide = 2 * width!;
        const vectors = (): Params => ({ scale: tf.ones([keys]), shift: tf.zeros([keys]) });
        return {
          ...Object.fromEntries(
            convs.map((conv, i) => [`conv${i + 1}`, conv.init!(rng.at("conv", i), [length!, width!])]),
          ),
          shared: productParams(rng.at("shared"), width!, keys),
          query: vectors(),
          key: vectors(),
          distance: tf.zeros([chunk]),
          value: productParams(rng.at("value"), width!, wide),
          reset: productParams(rng.at("reset"), width!, wide),
          update: productParams(rng.at("update"), width!, width!),
          fresh: productParams(rng.at("fresh"), width!, width!),
          found: productParams(rng.at("found"), wide, width!),
        };
      },
      apply(x, params, mode) {
        const [n, length] = x.shape as [number, number];
        const carried = convs.reduce((c, conv, i) => tf.add(c, nn.silu(conv.apply(c, convParams(params, i), mode))), x);
        const { query, key, value, end } = parts(x, carried, params, mode);
        const count = Math.ceil(length / chunk);
        const inChunks = (of: tf.Tensor): tf.Tensor => {
          const filled = tf.pad(of, [
            [0, 0],
            [0, count * chunk - length],
            [0, 0],
          ]);
          return tf.reshape(filled, [n * count, chunk, of.shape[2]!]);
        };
        // how far back each place of a chunk lies from each; later ones are hidden
        const apart = Int32Array.from({ length: chunk * chunk }, (_, i) => Math.floor(i / chunk) - (i % chunk));
        const near = tf.gather(
          params.distance as tf.Tensor,
          tf.tensor2d(
            apart.map((d) => Math.max(0, d)),
            [chunk, chunk],
            "int32",
          ),
        );
        const hidden = tf.tensor2d(
          Float32Array.from(apart, (d) => (d < 0 ? -1e9 : 0)),
          [chunk, chunk],
        );
        const scores = tf.add(tf.matMul(inChunks(query), inChunks(key), false, true), tf.add(near, hidden));
        const found = tf.reshape(tf.matMul(tf.softmax(scores), inChunks(value)), [n, count * chunk, -1]);
        return end(tf.slice(found, [0, 0, 0], [n, length, found.shape[2]!]));
      },
      recurs(x, params, mode, states, keep) {
        const length = x.shape[1]!;
        // of each convolution one state, where it looks back at all; then those of attention
        const looks = taps > 1 ? depth : 0;
        const had = states?.slice(looks) ?? null;
        const rest: tf.Tensor[] = [];
        const carried = convs.reduce((c, conv, i) => {
          const [y, after] = conv.recurs!(c, convParams(params, i), mode, looks && states ? [states[i]!] : null, keep);
          rest.push(...after);
          return tf.add(c, nn.silu(y));
        }, x);
        const { query, key, value, end } = parts(x, carried, params, mode);
        const before = lookBack(key, value, had, keep, chunk);
        const [at] = placesBefore(had, keep);
        const behind = chunk - 1;
        const apart = tf.sub(
          tf.range(behind, behind + length).expandDims(1),
          tf.range(0, behind + length).expandDims(0),
        );
        const near = tf.gather(params.distance as tf.Tensor, tf.cast(tf.clipByValue(apart, 0, behind), "int32"));
        const other = tf.mul(tf.cast(tf.greater(apart, tf.mod(at, chunk).expandDims(2)), "float32"), -1e9);
        const hidden = tf.maximum(tf.add(tf.squeeze(before.hidden, [1]), other), -1e9);
        const scores = tf.add(tf.add(tf.matMul(query, before.keys, false, true), near), hidden);
        return [end(tf.matMul(tf.softmax(scores), before.values)), [...rest, ...before.states]];
      },
    };
  },
);

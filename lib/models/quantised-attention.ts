/** Attention as kernels of few bits compute it, in plain arithmetic. */
import { needOneOf, needWhole, withDefaults } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { float8 } from "./parts/float8.ts";

/** Settings of `quantisedAttention`. */
export interface QuantisedAttentionOptions {
  /** Whole numbers that queries and keys become. Default "int4". */
  readonly queryKey?: "int4" | "int8" | "full";
  /** Numbers that weights and values become: "fp8" has 4 bits of exponent and 3 of mantissa (E4M3). Default "fp8". */
  readonly weightValue?: "fp8" | "full";
  /** Places that share a scale. Default 32. */
  readonly group?: number;
  /** Whether means are taken away before: of keys over all places, of queries over a group, of values over all places. Default true. */
  readonly smooth?: boolean;
  /** Added to the scores before the softmax, `[…, t, s]`. */
  readonly mask?: tf.Tensor;
}

/**
 * Attention of queries `[…, t, d]`, keys and values `[…, s, d]` with the rounding of SageAttention2: scores from whole numbers of 4 bits, weights and values in 8-bit floats.
 *
 * Keys lose their mean, which no softmax sees; queries lose that of their group, whose scores are added in full precision; what is left is divided by the
 * largest of a group so that it fills the whole numbers. `exp(S − max)` is rounded to E4M3 at a scale of 448, values in each channel likewise without their
 * mean, which is added at the end. It tells what the rounding costs: nothing is faster. `attention` and `transformer` predict so with `precision`.
 *
 * Implements: P137 SageAttention2
 * Zhang et al. 2024, arXiv:2411.10958, sections 3.1 to 3.3. Differs from the paper: groups are of neighbouring places, not by the threads of a kernel; sums are in 32 bits, not
 * 22; which layers need 8 bits is for you to say.
 *
 * @example
 * ```ts
 * import { nn, quantisedAttention, random, tf } from "thalweg";
 * const [q, k, v] = [1, 2, 3].map((seed) => random(seed).normals([1, 64, 16], 0, 1));
 * const error = tf.mean(tf.abs(tf.sub(quantisedAttention(q, k, v), nn.attention(q, k, v)))).dataSync()[0];
 * error < 0.05; // true
 * ```
 */
export function quantisedAttention(
  queries: tf.Tensor,
  keys: tf.Tensor,
  values: tf.Tensor,
  options: QuantisedAttentionOptions = {},
): tf.Tensor {
  const { mask, ...rest } = options;
  const { queryKey, weightValue, group, smooth } = withDefaults<Required<Omit<QuantisedAttentionOptions, "mask">>>(
    "quantisedAttention",
    rest,
    { queryKey: "int4", weightValue: "fp8", group: 32, smooth: true },
  );
  needOneOf("quantisedAttention", "queryKey", queryKey, ["int4", "int8", "full"]);
  needOneOf("quantisedAttention", "weightValue", weightValue, ["fp8", "full"]);
  needWhole("quantisedAttention", "group", group);
  return tf.tidy(() => {
    const scaled = tf.mul(queries, 1 / Math.sqrt(queries.shape.at(-1)!));
    const centred = smooth ? tf.sub(keys, tf.mean(keys, -2, true)) : keys;
    const means = smooth ? inGroups(scaled, group, (x) => tf.add(tf.zerosLike(x), tf.mean(x, -2, true))) : undefined;
    const rounded = (x: tf.Tensor): tf.Tensor =>
      queryKey === "full" ? x : inGroups(x, group, (part) => whole(part, queryKey === "int4" ? 7 : 127));
    const rest = rounded(means === undefined ? scaled : tf.sub(scaled, means));
    const fine = tf.matMul(rest, rounded(centred), false, true);
    const all = means === undefined ? fine : tf.add(fine, tf.matMul(means, centred, false, true));
    const scores = mask === undefined ? all : tf.add(all, mask);
    const weights = tf.exp(tf.sub(scores, tf.max(scores, -1, true)));
    const middle = smooth ? tf.mean(values, -2, true) : tf.zerosLike(tf.mean(values, -2, true));
    const sums = tf.sum(weights, -1, true);
    if (weightValue === "full") return tf.div(tf.matMul(weights, values), sums);
    const left = tf.sub(values, middle);
    const scale = tf.div(tf.maximum(tf.max(tf.abs(left), -2, true), 1e-30), 448);
    const coarse = tf.mul(float8(tf.div(left, scale)), scale);
    const shares = tf.div(tf.matMul(tf.div(float8(tf.mul(weights, 448)), 448), coarse), sums);
    return tf.add(shares, middle);
  });
}

/** Numbers as whole multiples of their largest, divided by `most`. */
function whole(x: tf.Tensor, most: number): tf.Tensor {
  const scale = tf.div(tf.maximum(tf.max(tf.abs(x), [x.rank - 2, x.rank - 1], true), 1e-30), most);
  return tf.mul(tf.round(tf.div(x, scale)), scale);
}

/** What a function makes of each group of neighbouring places `[…, places, d]`; the last may have fewer. */
function inGroups(x: tf.Tensor, size: number, make: (part: tf.Tensor) => tf.Tensor): tf.Tensor {
  const places = x.shape.at(-2)!;
  const sizes = Array.from({ length: Math.ceil(places / size) }, (_, i) => Math.min(size, places - i * size));
  if (sizes.length === 1) return make(x);
  return tf.concat(tf.split(x, sizes, x.rank - 2).map(make), x.rank - 2);
}

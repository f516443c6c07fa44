import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { requireHeads } from "../../parts/hopfield.ts";
import { product, productParams } from "../../parts/product.ts";

/** Options of `simplifiedAttention`. */
export interface SimplifiedAttentionOptions {
  /** Side of the filters over the values, odd. Default 5. */
  readonly window?: number;
  /** Rows and columns of the image that the places are. Default: one row. */
  readonly grid?: readonly [rows: number, columns: number];
}

/**
 * Attention whose cost is linear in the length: rectified queries and keys in place of a softmax, and a filter over the values of neighbours beside it (SLA).
 *
 * `o_i = ϕ(q_i) Σ_j ϕ(k_j)ᵀ v_j / ϕ(q_i) Σ_j ϕ(k_j)ᵀ + DWC(v)_i` in each head with ϕ the rectifier; keys have a trained vector for each place, begun as 0; DWC has a
 * filter for each channel of a head, the same in all heads, over rows and columns of `grid`. Every place sees every other.
 *
 * Guo et al. 2024, arXiv:2405.11582, section 3.3, equation 9, and the authors' program.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(2).dense(16).residual((n) => n.layerNorm().simplifiedAttention(2, { grid: [4, 4] })).features([8, 8, 1]); // [16, 16]
 * ```
 */
export const simplifiedAttention = sameLayer(
  "simplifiedAttention",
  (heads: number, { window = 5, grid }: SimplifiedAttentionOptions = {}) => {
    requireCount("simplifiedAttention", "heads", heads);
    requireCount("simplifiedAttention", "window", window);
    if (window % 2 === 0) throw new RangeError(`simplifiedAttention: a window of odd side is required, got ${window}`);
    return {
      options: { heads, window, ...(grid !== undefined && { grid: [...grid] }) },
      shape(input) {
        requireHeads("simplifiedAttention", heads, input);
        const [rows, columns] = grid ?? [1, input[0]!];
        if (rows * columns !== input[0])
          throw new RangeError(
            `simplifiedAttention: a grid of the ${input[0]} places is required, got ${rows} rows of ${columns}`,
          );
        return input;
      },
      init(rng, [length, units]): Params {
        const d = units! / heads;
        const rows = grid === undefined ? 1 : window;
        const bound = 1 / Math.sqrt(rows * window);
        return {
          ...Object.fromEntries(
            ["query", "key", "value", "out"].map((part) => [part, productParams(rng.at(part), units!, units!)]),
          ),
          places: tf.zeros([length!, units!]),
          near: {
            kernel: rng.at("near", "kernel").uniforms([rows, window, d, 1], -bound, bound),
            bias: rng.at("near", "bias").uniforms([d], -bound, bound),
          },
        };
      },
      apply(x, params, mode) {
        const [n, length, units] = x.shape as [number, number, number];
        const d = units / heads;
        const [rows, columns] = grid ?? [1, length];
        const split = (of: tf.Tensor): tf.Tensor =>
          tf.reshape(tf.transpose(tf.reshape(of, [n, length, heads, d]), [0, 2, 1, 3]), [n * heads, length, d]);
        const query = tf.relu(split(product(x, params, "query", mode)));
        const key = tf.relu(split(tf.add(product(x, params, "key", mode), params.places as tf.Tensor)));
        const value = split(product(x, params, "value", mode));
        const sums = tf.matMul(tf.div(key, length), value, true);
        const whole = tf.matMul(query, tf.reshape(tf.mean(key, 1), [n * heads, d, 1]));
        const far = tf.div(tf.matMul(query, sums), tf.add(whole, 1e-6));
        const { kernel, bias } = params.near as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
        const image = tf.reshape(value, [n * heads, rows, columns, d]);
        const near = tf.reshape(nn.convolve(image, kernel, { depthwise: true }), [n * heads, length, d]);
        const seen = tf.reshape(tf.add(far, tf.add(near, bias)), [n, heads, length, d]);
        return product(tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [n, length, units]), params, "out", mode);
      },
    };
  },
  ["sequence"],
);

import { needWhole } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { drawBias, drawWeights } from "../../initial.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import { goOn } from "../../parts/recurrence.ts";

/** Options of `causalConv`. */
export interface CausalConvOptions {
  /** Places from one number of a filter to the next. Default 1. */
  readonly dilation?: number;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/**
 * A convolution of each channel by itself along a sequence, which sees a place and the `size − 1` before it: `[length, units]` keeps its shape.
 *
 * Before the first place there are zeros. Short ones (4 places) stand before the layers of linear attention and state spaces. Weights begin as PyTorch's.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32, { positions: false }).residual((n) => n.layerNorm().causalConv(4).silu().gla(4)).features([100]); // [100, 32]
 * ```
 */
export const causalConv = sameLayer(
  "causalConv",
  (size: number, { dilation = 1, bias = true }: CausalConvOptions = {}) => {
    requireCount("causalConv", "size", size);
    needWhole("causalConv", "dilation", dilation);
    const reach = (size - 1) * dilation;
    /** The sum over the numbers of a filter: `tap(k)` is what it multiplies, the last of them the place itself. */
    const filtered = (kernel: tf.Tensor, added: tf.Tensor | undefined, tap: (k: number) => tf.Tensor): tf.Tensor => {
      const rows = tf.unstack(kernel, 0);
      const sum = rows.map((row, k) => tf.mul(tap(k), row)).reduce((a, b) => tf.add(a, b));
      return added === undefined ? sum : tf.add(sum, added);
    };
    return {
      options: { size, ...(dilation !== 1 && { dilation }), ...(!bias && { bias }) },
      shape(input) {
        if (input.length !== 2)
          throw new RangeError(
            `causalConv: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
          );
        return input;
      },
      init: (rng, [, units]) => ({
        kernel: drawWeights("torch", rng.at("kernel"), [size, units!], size, units!),
        ...(bias && { bias: drawBias("torch", rng.at("bias"), units!, size) }),
      }),
      apply(x, params) {
        const [n, length, units] = x.shape as [number, number, number];
        const whole = reach === 0 ? x : tf.concat([tf.zeros([n, reach, units]), x], 1);
        return filtered(params.kernel as tf.Tensor, params.bias as tf.Tensor | undefined, (k) =>
          tf.slice(whole, [0, k * dilation, 0], [n, length, units]),
        );
      },
      recurs(x, params, _mode, states, keep) {
        const [n, , units] = x.shape as [number, number, number];
        if (reach === 0) return [this.apply(x, params, _mode), []];
        return goOn(
          ([before], given, own) => {
            const seen = tf.concat([before!, tf.expandDims(given, 1)], 1);
            const y = filtered(own.kernel as tf.Tensor, own.bias as tf.Tensor | undefined, (k) =>
              tf.squeeze(tf.slice(seen, [0, k * dilation, 0], [n, 1, units]), [1]),
            );
            return [y, [tf.slice(seen, [0, 1, 0], [n, reach, units])]];
          },
          states ?? [tf.zeros([n, reach, units])],
          x,
          params,
          keep,
        );
      },
    };
  },
  ["sequence"],
);

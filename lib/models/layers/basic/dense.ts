import { needShare } from "../../../data/options.ts";
import { nn, type Rng, tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../../initial.ts";
import { put, requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";

/** Options of `dense`. */
export interface DenseOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** How weights begin. Default "torch". */
  readonly initial?: Initial;
  /**
   * The share of the rows that came in whose numbers are kept until the gradient of the kernel is taken in training: the rest is free at once. The
   * gradient is then an unbiased estimate, what the layer gives is exact. Default 1: all.
   */
  readonly rows?: number;
}

/**
 * A fully connected layer: `x · kernel + bias`, of vectors or at every place of a sequence.
 *
 * With `rows` below 1 a training step holds less: of what came in only the rows with the largest norms are kept, and a few random others with more weight.
 *
 * Implements: P372 WTA-CRS
 * Liu et al. 2023, "Winner-take-all column row sampling for memory efficient adaptation of language model", arXiv:2305.15265, section 3: `rows`; bytes are
 * counted by `liveBytes`.
 * Differs from the paper: rows are drawn by their norms alone, not also by those of the gradients of an earlier pass.
 *
 * Takes vectors `[n, d]`, gives `[n, units]`; takes sequences `[n, length, d]`, gives `[n, length, units]`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().flatten().dense(64).relu();
 * net().dense(64).features([10, 3]); // [10, 64]
 * ```
 */
export const dense = sameLayer(
  "dense",
  (units: number, { bias = true, initial = "torch", rows: share = 1 }: DenseOptions = {}) => {
    requireCount("dense", "units", units);
    needShare("dense", "rows", share);
    return {
      options: { units, bias, initial, ...(share < 1 && { rows: share }) },
      shape(input) {
        if (input.length !== 1 && input.length !== 2)
          throw new RangeError(`dense: a vector is required, got shape [${input}]; call flatten() first`);
        return [...input.slice(0, -1), units];
      },
      init(rng, input): Params {
        const inputs = input.at(-1)!;
        const kernel = drawWeights(initial, rng.at("kernel"), [inputs, units], inputs, units);
        return bias ? { kernel, bias: drawBias(initial, rng.at("bias"), units, inputs) } : { kernel };
      },
      apply(x, params, mode) {
        const kernel = params.kernel as tf.Tensor2D;
        const rows = x.rank === 2 ? x : tf.reshape(x, [x.size / kernel.shape[0], kernel.shape[0]]);
        const all = (): tf.Tensor => {
          const y = tf.matMul(rows as tf.Tensor2D, kernel);
          return bias ? tf.add(y, params.bias as tf.Tensor) : y;
        };
        const some = (rng: Rng): tf.Tensor => {
          const kept = Math.max(1, Math.round(share * rows.shape[0]!));
          const added = bias ? (params.bias as tf.Tensor) : tf.zeros([units]);
          return nn.sampledProduct(rows as tf.Tensor2D, kernel, added, rng.at("rows").uniforms([kept]));
        };
        const out = mode.tapped(rows, share < 1 && mode.training && mode.rng !== null ? some(mode.rng) : all());
        return x.rank === 2 ? out : tf.reshape(out, [...x.shape.slice(0, -1), units]);
      },
      counterpart: (x, name, { kernel, bias: added }) =>
        put(tfLayers.layers.dense({ name, units, useBias: bias, kernelInitializer: "zeros" }), x, [kernel, added]),
    };
  },
  ["vector", "sequence"],
);

import type { Shape } from "../../../data/dataset.ts";
import { needShare, needWhole } from "../../../data/options.ts";
import { nn, type Rng, tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../../initial.ts";
import { put, requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { packedProduct, rangesAfter } from "../../parts/packed-product.ts";

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
  /**
   * In training what came in is kept as bytes until the gradient of the kernel is taken, by running ranges of so many groups of its columns (the heads of
   * attention). Default 0: kept as it is.
   */
  readonly bytes?: number;
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
 * With `bytes` a step holds a quarter of it, every row, each number to 1/255 of the range of its group.
 *
 * Implements: P378 Mesa
 * Pan et al. 2021, "Mesa: a memory-saving training framework for transformers", arXiv:2111.11124, section 3, with the running ranges of its program: `bytes`.
 * Differs from the paper: the input of products alone, not also what activations, softmax and normalisation keep.
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
  (units: number, { bias = true, initial = "torch", rows: share = 1, bytes = 0 }: DenseOptions = {}) => {
    requireCount("dense", "units", units);
    needShare("dense", "rows", share);
    needWhole("dense", "bytes", bytes, 0);
    if (bytes > 0 && share < 1) throw new TypeError("dense: rows or bytes is required, got both; leave one out");
    return {
      options: { units, bias, initial, ...(share < 1 && { rows: share }), ...(bytes > 0 && { bytes }) },
      byPlace: true,
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
      ...(bytes > 0 && {
        statistics(input: Shape): Params {
          if (input.at(-1)! % bytes !== 0)
            throw new RangeError(`dense: groups that divide ${input.at(-1)} columns are required, got bytes: ${bytes}`);
          return { low: tf.zeros([bytes]), range: tf.ones([bytes]), seen: tf.zeros([1]) };
        },
      }),
      apply(x, params, mode) {
        const kernel = params.kernel as tf.Tensor2D;
        const rows = mode.into(x.rank === 2 ? x : tf.reshape(x, [x.size / kernel.shape[0], kernel.shape[0]]));
        const all = (): tf.Tensor => {
          const y = tf.matMul(rows as tf.Tensor2D, kernel);
          return bias ? tf.add(y, params.bias as tf.Tensor) : y;
        };
        const some = (rng: Rng): tf.Tensor => {
          const kept = Math.max(1, Math.round(share * rows.shape[0]!));
          const added = bias ? (params.bias as tf.Tensor) : tf.zeros([units]);
          return nn.sampledProduct(rows as tf.Tensor2D, kernel, added, rng.at("rows").uniforms([kept]));
        };
        const packed = (): tf.Tensor => {
          const ranges = { low: mode.read("low"), range: mode.read("range"), seen: mode.read("seen") };
          for (const [name, value] of Object.entries(rangesAfter(rows, ranges))) mode.write(name, value);
          return packedProduct(rows, kernel, bias ? (params.bias as tf.Tensor) : tf.zeros([units]), ranges);
        };
        if (bytes > 0 && mode.training) {
          const out = mode.tapped(rows, packed());
          return x.rank === 2 ? out : tf.reshape(out, [...x.shape.slice(0, -1), units]);
        }
        const out = mode.tapped(rows, share < 1 && mode.training && mode.rng !== null ? some(mode.rng) : all());
        return x.rank === 2 ? out : tf.reshape(out, [...x.shape.slice(0, -1), units]);
      },
      counterpart: (x, name, { kernel, bias: added }) =>
        put(tfLayers.layers.dense({ name, units, useBias: bias, kernelInitializer: "zeros" }), x, [kernel, added]),
    };
  },
  ["vector", "sequence"],
);

import { tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../../initial.ts";
import { put, requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";

/** Options of `dense`. */
export interface DenseOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** How weights begin. Default "torch". */
  readonly initial?: Initial;
}

/**
 * A fully connected layer: `x · kernel + bias`, of vectors or at every place of a sequence.
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
  (units: number, { bias = true, initial = "torch" }: DenseOptions = {}) => {
    requireCount("dense", "units", units);
    return {
      options: { units, bias, initial },
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
        const y = tf.matMul(rows as tf.Tensor2D, kernel);
        const out = mode.tapped(rows, bias ? tf.add(y, params.bias as tf.Tensor) : y);
        return x.rank === 2 ? out : tf.reshape(out, [...x.shape.slice(0, -1), units]);
      },
      counterpart: (x, name, { kernel, bias: added }) =>
        put(tfLayers.layers.dense({ name, units, useBias: bias, kernelInitializer: "zeros" }), x, [kernel, added]),
    };
  },
  ["vector", "sequence"],
);

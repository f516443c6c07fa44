import { tf, tfLayers } from "../../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../../initial.ts";
import { layer, put, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";

/** Options of `dense`. */
export interface DenseOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** How weights begin. Default "torch". */
  readonly initial?: Initial;
}

/**
 * A fully connected layer: `x · kernel + bias`.
 *
 * Takes vectors `[n, d]`, gives `[n, units]`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().flatten().dense(64).relu();
 * ```
 */
export const dense = layer(
  "dense",
  { accepts: ["vector"], gives: "vector" },
  (units: number, { bias = true, initial = "torch" }: DenseOptions = {}) => {
    requireCount("dense", "units", units);
    return {
      options: { units, bias, initial },
      shape(input) {
        if (input.length !== 1)
          throw new RangeError(`dense: a vector is required, got shape [${input}]; call flatten() first`);
        return [units];
      },
      init(rng, [inputs]): Params {
        const kernel = drawWeights(initial, rng.at("kernel"), [inputs!, units], inputs!, units);
        return bias ? { kernel, bias: drawBias(initial, rng.at("bias"), units, inputs!) } : { kernel };
      },
      apply(x, params, mode) {
        const y = tf.matMul(x as tf.Tensor2D, params.kernel as tf.Tensor2D);
        return mode.tapped(x, bias ? tf.add(y, params.bias as tf.Tensor) : y);
      },
      counterpart: (x, name, { kernel, bias: added }) =>
        put(tfLayers.layers.dense({ name, units, useBias: bias, kernelInitializer: "zeros" }), x, [kernel, added]),
    };
  },
);

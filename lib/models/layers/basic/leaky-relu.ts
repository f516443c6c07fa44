import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/**
 * The rectifier that lets a share of negative numbers through: `x` where it is above 0, else `slope · x`. Default slope 0.01, as in PyTorch.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(8).leakyRelu(0.2).spec.layers![1]!.options; // { slope: 0.2 }
 * ```
 */
export const leakyRelu = sameLayer("leakyRelu", (slope: number = 0.01) => {
  if (!Number.isFinite(slope)) throw new RangeError(`leakyRelu: a finite slope is required, got ${slope}`);
  return {
    options: { slope },
    byPlace: true,
    shape: (input) => input,
    apply: (x) => tf.leakyRelu(x, slope),
    counterpart: (x, name) => put(tfLayers.layers.leakyReLU({ name, alpha: slope }), x),
  };
});

import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/**
 * Puts the axes of each example in another order, counted from 1: `permute([2, 1])` turns a sequence `[length, units]` into `[units, length]`.
 *
 * @throws RangeError when the order does not name every axis once.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(4).permute([2, 1]).dense(5).permute([2, 1]).features([8, 8, 1]); // [5, 16]
 * ```
 */
export const permute = sameLayer("permute", (order: readonly number[]) => {
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i + 1))
    throw new RangeError(`permute: an order that names every axis from 1 once is required, got [${order}]`);
  return {
    options: { order: [...order] },
    shape(input) {
      if (input.length !== order.length)
        throw new RangeError(
          `permute: an order of ${input.length} axes is required for shape [${input}], got [${order}]`,
        );
      return order.map((axis) => input[axis - 1]!);
    },
    apply: (x) => tf.transpose(x, [0, ...order]),
    counterpart: (x, name) => put(tfLayers.layers.permute({ name, dims: [...order] }), x),
  };
});

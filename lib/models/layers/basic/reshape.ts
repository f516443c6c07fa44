import { type Kind, type Shape, sizeOf } from "../../../data/dataset.ts";
import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put } from "../../layer.ts";

/**
 * Gives each example another shape with as many numbers in the same order: `[height, width, channels]` is an image, `[length, units]` a sequence.
 *
 * @throws RangeError when the numbers are not as many.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().flatten().dense(48).reshape([4, 4, 3]).conv(2, 3).features([10]); // [4, 4, 2]
 * ```
 */
export const reshape = layer(
  "reshape",
  { accepts: ["image", "vector", "sequence"], gives: "vector" as Kind },
  (shape: Shape) => {
    if (shape.length === 0 || shape.length > 3 || !shape.every((n) => Number.isInteger(n) && n > 0))
      throw new RangeError(`reshape: a shape of one to three whole numbers is required, got [${shape}]`);
    return {
      options: { shape: [...shape] },
      shape(input) {
        if (sizeOf(input) !== sizeOf(shape))
          throw new RangeError(
            `reshape: ${sizeOf(shape)} numbers are required for shape [${shape}], got shape [${input}], which has ${sizeOf(input)}`,
          );
        return shape;
      },
      apply: (x) => tf.reshape(x, [x.shape[0]!, ...shape]),
      counterpart: (x, name) => put(tfLayers.layers.reshape({ name, targetShape: [...shape] }), x),
    };
  },
);

import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put, requireCount } from "../../layer.ts";

/**
 * Cuts an image into squares and makes a sequence of them, row by row: `[height, width, channels]` becomes `[places, size · size · channels]`.
 *
 * The numbers of a square are in the order of the image: rows, columns, channels. With `dense(units)` after it, this is the embedding of
 * patches of a vision transformer, and the kernel of `dense` is that of a convolution of the same size and stride, reshaped. `patches(1)`
 * makes each pixel a place. Dosovitskiy et al. 2021, arXiv:2010.11929, equation 1.
 *
 * @throws RangeError when the squares do not fill the image.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(7).dense(32).features([28, 28, 1]); // [16, 32]
 * ```
 */
export const patches = layer("patches", { accepts: ["image"], gives: "sequence" }, (size: number) => {
  requireCount("patches", "size", size);
  return {
    options: { size },
    shape(input) {
      const [height, width, channels] = input as readonly [number, number, number];
      if (input.length !== 3 || height % size !== 0 || width % size !== 0)
        throw new RangeError(
          `patches: an image whose height and width are multiples of ${size} is required, got shape [${input}]; choose a size that divides both`,
        );
      return [(height / size) * (width / size), size * size * channels];
    },
    apply(x) {
      const [n, height, width, channels] = x.shape as [number, number, number, number];
      const [rows, columns] = [height / size, width / size];
      if (size === 1) return tf.reshape(x, [n, rows * columns, channels]);
      const cut = tf.reshape(x, [n, rows, size, columns, size * channels]);
      return tf.reshape(tf.transpose(cut, [0, 1, 3, 2, 4]), [n, rows * columns, size * size * channels]);
    },
    counterpart(x, name) {
      const [, height, width, channels] = x.shape as [null, number, number, number];
      const [rows, columns] = [height / size, width / size];
      const { reshape, permute } = tfLayers.layers;
      const cut = put(reshape({ name: `${name}-cut`, targetShape: [rows, size, columns, size * channels] }), x);
      const turned = put(permute({ name: `${name}-turn`, dims: [1, 3, 2, 4] }), cut);
      return put(reshape({ name, targetShape: [rows * columns, size * size * channels] }), turned);
    },
  };
});

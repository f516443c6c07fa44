import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put } from "../../layer.ts";

/**
 * Turns each example into one long vector.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(8, 3).flatten().dense(10);
 * ```
 */
export const flatten = layer("flatten", { accepts: ["image", "vector", "sequence"], gives: "vector" }, () => ({
  options: {},
  shape: (input) => [input.reduce((a, b) => a * b, 1)],
  apply: (x) => (x.rank === 2 ? x : tf.reshape(x, [x.shape[0]!, x.size / x.shape[0]!])),
  // that of tf.layers refuses what is flat already
  counterpart: (x, name) => (x.rank === 2 ? x : put(tfLayers.layers.flatten({ name }), x)),
}));

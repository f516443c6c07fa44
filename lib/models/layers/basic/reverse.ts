import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";

/**
 * The places of a sequence, or the rows of an image, from the last to the first.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().reverse().lstm(8).reverse().features([12, 3]); // [12, 8]
 * ```
 */
export const reverse = sameLayer("reverse", () => ({
  options: {},
  shape: (input) => input,
  apply: (x) => tf.reverse(x, 1),
}));

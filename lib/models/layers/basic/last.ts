import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";

/**
 * Keeps the vector at the last place of a sequence: `[length, units]` becomes `[units]`. What comes before it has seen the whole sequence
 * there, so it is what a class is told by.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16).transformer(2).last().features([12]); // [16]
 * ```
 */
export const last = layer("last", { accepts: ["sequence"], gives: "vector" }, () => ({
  options: {},
  byPlace: true,
  shape(input) {
    if (input.length !== 2)
      throw new RangeError(
        `last: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
      );
    return [input[1]!];
  },
  apply(x) {
    const [n, length, units] = x.shape as [number, number, number];
    return tf.reshape(tf.slice(x, [0, length - 1, 0], [n, 1, units]), [n, units]);
  },
}));

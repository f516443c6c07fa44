import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";

/**
 * Keeps the vector at the first place of a sequence: `[length, units]` becomes `[units]`. That of `classToken()` is there.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16).classToken().transformer(2, { causal: false }).first().features([12]); // [16]
 * ```
 */
export const first = layer("first", { accepts: ["sequence"], gives: "vector" }, () => ({
  options: {},
  shape(input) {
    if (input.length !== 2)
      throw new RangeError(
        `first: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
      );
    return [input[1]!];
  },
  apply(x) {
    const [n, , units] = x.shape as [number, number, number];
    return tf.reshape(tf.slice(x, [0, 0, 0], [n, 1, units]), [n, units]);
  },
}));

import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import { associating, type HopfieldOptions, requireHeads } from "../../parts/hopfield.ts";

/** Options of `hopfieldPooling`. */
export interface HopfieldPoolingOptions extends HopfieldOptions {
  /** How many trained states ask. Default 1. */
  readonly queries?: number;
}

/**
 * A continuous Hopfield network whose states are trained and whose stored patterns are the places of a sequence: a bag of vectors becomes one.
 *
 * `[length, units]` becomes `[queries · units]`; the order of the places does not matter. Ramsauer et al. 2021, arXiv:2008.02217, section 3, "HopfieldPooling"; states
 * begin normal with deviation 0.02.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).hopfieldPooling(2, { queries: 3 }).features([10, 4]); // [48]
 * ```
 */
export const hopfieldPooling = layer(
  "hopfieldPooling",
  { accepts: ["sequence"], gives: "vector" },
  (heads: number, { queries = 1, ...options }: HopfieldPoolingOptions = {}) => {
    const own = associating("hopfieldPooling", heads, options);
    requireCount("hopfieldPooling", "queries", queries);
    return {
      options: { heads, ...(queries !== 1 && { queries }), ...own.said },
      shape(input) {
        requireHeads("hopfieldPooling", heads, input);
        return [queries * input[1]!];
      },
      init: (rng, [, units]) => ({
        asks: rng.at("asks").normals([queries, units!], 0, 0.02),
        ...own.init(rng, units!),
      }),
      apply(x, params, mode) {
        const [n, , units] = x.shape as [number, number, number];
        const states = tf.add(tf.zeros([n, queries, units]), params.asks as tf.Tensor);
        return tf.reshape(own.associate(states, x, params, mode), [n, queries * units]);
      },
    };
  },
);

import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import { associating, type HopfieldOptions, requireHeads } from "../../parts/hopfield.ts";

/**
 * A continuous Hopfield network that stores `patterns` trained vectors, from which each place of a sequence retrieves: a memory that is looked up.
 *
 * `[length, units]` keeps its shape. Ramsauer et al. 2021, arXiv:2008.02217, section 3, "HopfieldLayer"; patterns begin normal with deviation 0.02.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).hopfieldLayer(2, 50).features([10, 4]); // [10, 16]
 * ```
 */
export const hopfieldLayer = sameLayer(
  "hopfieldLayer",
  (heads: number, patterns: number, options: HopfieldOptions = {}) => {
    const own = associating("hopfieldLayer", heads, options);
    requireCount("hopfieldLayer", "patterns", patterns);
    return {
      options: { heads, patterns, ...own.said },
      byPlace: true,
      shape(input) {
        requireHeads("hopfieldLayer", heads, input);
        return input;
      },
      init: (rng, [, units]) => ({
        stored: rng.at("stored").normals([patterns, units!], 0, 0.02),
        ...own.init(rng, units!),
      }),
      apply(x, params, mode) {
        const stored = tf.add(tf.zeros([x.shape[0]!, patterns, x.shape[2]!]), params.stored as tf.Tensor);
        return own.associate(x, stored, params, mode);
      },
    };
  },
  ["sequence"],
);

import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";

/**
 * Puts a trained vector before a sequence: `[length, units]` becomes `[length + 1, units]`. What attention makes of it is read by `first()`.
 *
 * It begins normal with deviation 0.02. Dosovitskiy et al. 2021, arXiv:2010.11929, equation 1; Devlin et al. 2019, arXiv:1810.04805.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(4).dense(16).classToken().positions().transformer(2, { causal: false }).first().features([8, 8, 1]); // [16]
 * ```
 */
export const classToken = sameLayer(
  "classToken",
  () => ({
    options: {},
    shape(input) {
      if (input.length !== 2)
        throw new RangeError(
          `classToken: a sequence of vectors is required, got shape [${input}]; put patches(size) before it`,
        );
      return [input[0]! + 1, input[1]!];
    },
    init: (rng, [, units]) => ({ token: rng.at("token").normals([1, units!], 0, 0.02) }),
    kindOf: () => "embedding" as const,
    apply(x, params) {
      const [n, , units] = x.shape as [number, number, number];
      const token = tf.add(tf.zeros([n, 1, units]), params.token as tf.Tensor);
      return tf.concat([token, x], 1);
    },
  }),
  ["sequence"],
);

import { tf } from "../../../engine/index.ts";
import { layer } from "../../layer.ts";
import { product, productParams } from "../../parts/product.ts";

/**
 * The mean of a sequence's vectors, weighed by a softmax over the places of one trained score for each: `[length, units]` becomes `[units]`.
 *
 * Hassani et al. 2021, arXiv:2104.05704, section 3.2, equations 2 to 4.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().patches(4).dense(16).sequencePool().features([8, 8, 1]); // [16]
 * ```
 */
export const sequencePool = layer("sequencePool", { accepts: ["sequence"], gives: "vector" }, () => ({
  options: {},
  shape(input) {
    if (input.length !== 2)
      throw new RangeError(
        `sequencePool: a sequence of vectors is required, got shape [${input}]; put patches(size) or embedding(tokens, units) before it`,
      );
    return [input[1]!];
  },
  init: (rng, [, units]) => ({ score: productParams(rng.at("score"), units!, 1) }),
  apply(x, params, mode) {
    const [n, length, units] = x.shape as [number, number, number];
    const shares = tf.softmax(tf.reshape(product(x, params, "score", mode), [n, 1, length]));
    return tf.reshape(tf.matMul(shares, x), [n, units]);
  },
}));

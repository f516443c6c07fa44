import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/**
 * Sets a share of the numbers to 0 in training and scales the others so that the mean stays (Srivastava et al. 2014, inverted form).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().flatten().dense(128).relu().dropout(0.2);
 * ```
 */
export const dropout = sameLayer("dropout", (share: number) => {
  if (!(share >= 0 && share < 1))
    throw new RangeError(`dropout: a share from 0 up to but not 1 is required, got ${share}`);
  return {
    options: { share },
    byPlace: true,
    shape: (input) => input,
    apply(x, _params, { training, rng }) {
      if (!training || share === 0 || rng === null) return x;
      const kept = tf.cast(tf.greaterEqual(rng.uniforms(x.shape), share), "float32");
      return tf.mul(x, tf.mul(kept, 1 / (1 - share)));
    },
    counterpart: (x, name) => put(tfLayers.layers.dropout({ name, rate: share }), x),
  };
});

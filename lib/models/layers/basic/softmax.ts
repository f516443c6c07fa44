import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/**
 * Turns the numbers along the last axis into shares of one, `exp(xᵢ) / Σ exp(xⱼ)`: at each place of an image or a sequence by itself.
 *
 * A head's logits need none: losses have it built in.
 */
export const softmax = sameLayer("softmax", () => ({
  options: {},
  byPlace: true,
  shape: (input) => input,
  apply: (x) => tf.softmax(x),
  counterpart: (x, name) => put(tfLayers.layers.softmax({ name }), x),
}));

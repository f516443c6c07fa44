import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/** The rectifier: negative numbers become 0. */
export const relu = sameLayer("relu", () => ({
  options: {},
  byPlace: true,
  shape: (input) => input,
  apply: (x) => tf.relu(x),
  counterpart: (x, name) => put(tfLayers.layers.activation({ name, activation: "relu" }), x),
}));

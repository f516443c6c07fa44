import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/** The hyperbolic tangent of each number. */
export const tanh = sameLayer("tanh", () => ({
  options: {},
  byPlace: true,
  shape: (input) => input,
  apply: (x) => tf.tanh(x),
  counterpart: (x, name) => put(tfLayers.layers.activation({ name, activation: "tanh" }), x),
}));

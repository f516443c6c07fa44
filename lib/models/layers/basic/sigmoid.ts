import { tf, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/** The logistic function of each number, between 0 and 1: gates are made of it. */
export const sigmoid = sameLayer("sigmoid", () => ({
  options: {},
  byPlace: true,
  shape: (input) => input,
  apply: (x) => tf.sigmoid(x),
  counterpart: (x, name) => put(tfLayers.layers.activation({ name, activation: "sigmoid" }), x),
}));

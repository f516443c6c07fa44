import { nn, tfLayers } from "../../../engine/index.ts";
import { put, sameLayer } from "../../layer.ts";

/** The sigmoid linear unit of each number, `x · σ(x)`, also called swish (Elfwing et al. 2017, arXiv:1702.03118). */
export const silu = sameLayer("silu", () => ({
  options: {},
  byPlace: true,
  shape: (input) => input,
  apply: (x) => nn.silu(x),
  counterpart: (x, name) => put(tfLayers.layers.activation({ name, activation: "swish" }), x),
}));

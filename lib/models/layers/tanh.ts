import { tf } from "../../engine/index.ts";
import { sameLayer } from "../layer.ts";

/** The hyperbolic tangent of each number. */
export const tanh = sameLayer("tanh", () => ({ options: {}, shape: (input) => input, apply: (x) => tf.tanh(x) }));

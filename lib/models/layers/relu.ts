import { tf } from "../../engine/index.ts";
import { sameLayer } from "../layer.ts";

/** The rectifier: negative numbers become 0. */
export const relu = sameLayer("relu", () => ({ options: {}, shape: (input) => input, apply: (x) => tf.relu(x) }));

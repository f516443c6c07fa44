/** Where arrays are computed. Nothing above this folder knows which backend it is. */
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-layers"; // registers the gradients of all ops, and is the home of tf.layers models

import { register } from "./runtime/register.ts";

register(0);

export * as tf from "@tensorflow/tfjs-core";
export * as tfLayers from "@tensorflow/tfjs-layers";
export * from "./grad.ts";
export * from "./jit.ts";
export * from "./random.ts";
export * from "./serialize.ts";
export * from "./tree.ts";

/** Where arrays are computed. Nothing above this folder knows which backend it is. */
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-layers"; // registers the gradients of all ops, and is the home of tf.layers models

import { register } from "./runtime/register.ts";
import { runtime } from "./runtime/session.ts";
import { warnOnce } from "./runtime/where.ts";

// The backend with the highest priority is the default; tfjs-cpu has 1.
const native = runtime();
if (native instanceof Error)
  warnOnce(
    `engine: onnxruntime-node is required for speed, got "${native.message}"; arrays are computed by tfjs-cpu, which is slow. Install onnxruntime-node for this platform.`,
  );
register(native instanceof Error ? 0 : 10);

export * as tf from "@tensorflow/tfjs-core";
export * as tfLayers from "@tensorflow/tfjs-layers";
export * from "./grad.ts";
export * from "./jit.ts";
export * as nn from "./nn.ts";
export * from "./random.ts";
export * from "./serialize.ts";
export * from "./tree.ts";

/** What no gradient is to see. */
import * as tf from "@tensorflow/tfjs-core";

/** The parts of TensorFlow.js' state that say whether operations are recorded for a gradient. */
interface Tape {
  gradientDepth: number;
  kernelDepth: number;
  activeTape: unknown;
}

/**
 * Gives what `fn` gives, whose operations no gradient around it sees: what comes out of it counts as a constant. Within it `when` may skip work,
 * and gradients of its own may be taken.
 *
 * @example
 * ```ts
 * import { tf, valueAndGrad, withoutGradient } from "thalweg";
 * valueAndGrad((x: tf.Tensor) => tf.mul(x, withoutGradient(() => tf.square(x))), tf.scalar(3)).grads.dataSync()[0]; // 9
 * ```
 */
export function withoutGradient<R>(fn: () => R): R {
  const state = tf.engine().state as unknown as Tape;
  const { gradientDepth, kernelDepth, activeTape } = state;
  Object.assign(state, { gradientDepth: 0, kernelDepth: 0, activeTape: null });
  try {
    return fn();
  } finally {
    Object.assign(state, { gradientDepth, kernelDepth, activeTape });
  }
}

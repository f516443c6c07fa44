/** Several inputs as the one tensor that a model takes. */
import { tf } from "../engine/index.ts";

/**
 * The parts of a batch of examples, `[n, …shape]` each, as one tensor of vectors `[n, numbers]`, in their order: what `net().inputs(…)` takes.
 *
 * @example
 * ```ts
 * import { joinInputs, tf } from "thalweg";
 * joinInputs({ picture: tf.zeros([2, 8, 8, 1]), age: tf.zeros([2, 1]) }).shape; // [2, 65]
 * ```
 */
export function joinInputs(parts: { readonly [name: string]: tf.Tensor }): tf.Tensor2D {
  return tf.tidy(() => {
    const rows = Object.values(parts).map((part) => tf.reshape(part, [part.shape[0]!, part.size / part.shape[0]!]));
    return tf.concat(rows, 1) as tf.Tensor2D;
  });
}

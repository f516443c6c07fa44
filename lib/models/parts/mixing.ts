/** What a layer along a sequence does as matrices over its places. */
import { tf } from "../../engine/index.ts";

/**
 * A pass of a layer as attention: what it gives is `out(weights · values + rest)`, number by number what it gives otherwise.
 *
 * Weights are chosen by what came in; once they are, every channel of the values is mixed by a matrix of its own.
 */
export interface Mixing {
  /** `[n, channels, length, length]`: from the places of the last axis to those before it, gates, activations and convolutions among them. */
  readonly weights: tf.Tensor;
  /** `[n, channels, length, length]`, or of heads in place of channels: what the recurrence alone does, without what stands around it. */
  readonly core: tf.Tensor;
  /** `[n, length, channels]`, a linear function of what came in. */
  readonly values: tf.Tensor;
  /** `[n, length, channels]`, what biases add; null for nothing. */
  readonly rest: tf.Tensor | null;
  /** A linear function of each place. */
  out(mixed: tf.Tensor): tf.Tensor;
}

/** What was mixed, `[n, length, channels]`, for weights `[n, channels, length, length]`. */
export function mixedBy(weights: tf.Tensor, values: tf.Tensor): tf.Tensor {
  const columns = tf.expandDims(tf.transpose(values, [0, 2, 1]), 3);
  return tf.transpose(tf.squeeze(tf.matMul(weights, columns), [3]), [0, 2, 1]);
}

/** Factors of places, `[n, length, channels]`, as they multiply the rows of matrices (`"to"`) or their columns (`"from"`). */
export function factorsOf(x: tf.Tensor, side: "to" | "from"): tf.Tensor {
  return tf.expandDims(tf.transpose(x, [0, 2, 1]), side === "to" ? 3 : 2);
}

/**
 * The matrices `[n, channels, length, length]` of what `of` does, which treats every channel alone and is linear in it: it is asked about a unit at each place. `beside` are
 * tensors `[n, length, …]` that it takes as they are.
 */
export function unrolled(
  of: (units: tf.Tensor, beside: readonly tf.Tensor[]) => tf.Tensor,
  [n, length, channels]: readonly [number, number, number],
  beside: readonly tf.Tensor[],
): tf.Tensor {
  const unit = tf.reshape(tf.eye(length), [1, length, length, 1]);
  const units = tf.reshape(tf.tile(unit, [n, 1, 1, channels]), [n * length, length, channels]);
  const tiled = beside.map((x) => {
    const ones = x.shape.slice(1).map(() => 1);
    return tf.reshape(tf.tile(tf.expandDims(x, 1), [1, length, ...ones]), [n * length, ...x.shape.slice(1)]);
  });
  return tf.transpose(tf.reshape(of(units, tiled), [n, length, length, channels]), [0, 3, 2, 1]);
}

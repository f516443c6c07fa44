/** The keys and values of the places before, for attention that goes on piece by piece. */
import { tf } from "../../engine/index.ts";
import { placesBefore } from "./recurrence.ts";

/** What the places of a piece look at. */
export interface LookBack {
  /** `[n, context − 1 + length, width]`: those of the places before, zeros where there were none, and of the piece. */
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  /** `[n, 1, length, context − 1 + length]`: −1e9 is added to the scores of what a place does not see. */
  readonly hidden: tf.Tensor;
  /** How many places there were, the last `context − 1` keys and values. */
  readonly states: readonly tf.Tensor[];
}

/**
 * Puts the keys and values of a piece, `[n, length, width]`, behind those of the places before. A place sees itself and at most `context − 1` others
 * of its sequence, whatever the pieces are.
 */
export function lookBack(
  key: tf.Tensor,
  value: tf.Tensor,
  states: readonly tf.Tensor[] | null,
  keep: tf.Tensor,
  context: number,
): LookBack {
  const [n, length] = keep.shape as [number, number];
  const [at, after] = placesBefore(states, keep);
  const had = context - 1;
  const behind = (before: tf.Tensor | undefined, own: tf.Tensor): tf.Tensor =>
    tf.concat([before ?? tf.zeros([n, had, own.shape[2]!]), own], 1);
  const [keys, values] = [behind(states?.[1], key), behind(states?.[2], value)];
  const back = (of: tf.Tensor): tf.Tensor => tf.slice(of, [0, length, 0], [n, had, of.shape[2]!]);
  // how far back each key is from each place
  const apart = tf.sub(tf.range(had, had + length).expandDims(1), tf.range(0, had + length).expandDims(0));
  const seen = tf.minimum(at, had).expandDims(2);
  const far = tf.logicalOr(tf.less(apart, 0), tf.greater(apart, seen));
  return {
    keys,
    values,
    hidden: tf.mul(tf.cast(far, "float32"), -1e9).expandDims(1),
    states: [after, back(keys), back(values)],
  };
}

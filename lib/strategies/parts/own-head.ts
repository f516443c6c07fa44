/** The part of a shared head that is one task's own. */
import { mapTensors, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Context } from "../strategy.ts";

/** `[1, columns]`: 1 for the columns of a task, or for all where tasks share one head. */
export function ownColumns(task: number, { mask, columns }: Pick<Context, "mask" | "columns">): tf.Tensor {
  const row = mask(Int32Array.of(task));
  return row === null ? tf.ones([1, columns]) : tf.tensor2d(row.data as Float32Array, [1, columns]);
}

/**
 * *Traced.* A head of which only the open columns have moved. The others have no gradient, but an optimizer's moments or weight decay
 * would move them all the same.
 */
export function movedColumns(before: Params, after: Params, open: tf.Tensor): Params {
  const moves = (old: tf.Tensor): tf.Tensor => tf.reshape(tf.greater(tf.mul(open, tf.onesLike(old)), 0), old.shape);
  return mapTensors((old, now) => tf.where(moves(old), now!, old), before, after);
}

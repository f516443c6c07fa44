/** Copies of a network as it was: teachers, anchors, slow weights. */
import { cloneTree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import type { Context, Passed, Prediction, Step } from "../strategy.ts";

/** A network as it was. A type, not an interface, so that it is a tree of tensors. */
export type Snapshot = { readonly weights: Weights; readonly statistics: Params };

/** Copies the network as it is now. */
export function snapshot({ weights, statistics }: Pick<Context, "weights" | "statistics">): Snapshot {
  return { weights: cloneTree(weights), statistics: cloneTree(statistics) };
}

/** What a copy gives for some examples, in evaluation mode and without a gradient. */
export function recalled(
  { weights, statistics }: Snapshot,
  by: Step | Prediction,
  x: tf.Tensor,
  task?: tf.Tensor | null,
): Passed {
  return by.forward(x, { weights, frozen: statistics, ...(task === undefined ? {} : { task }) });
}

/** Logits with columns of zeros for those that came later. */
export function widenedTo(logits: tf.Tensor, columns: number): tf.Tensor {
  const missing = columns - logits.shape.at(-1)!;
  return missing === 0
    ? logits
    : tf.pad(logits, [...logits.shape.slice(1).map(() => [0, 0] as [number, number]), [0, missing]]);
}

/** The rows that a strategy has joined to a batch, as its traced hooks see them. */
import { tf } from "../../engine/index.ts";
import type { Step } from "../strategy.ts";

/** Some rows of a step: inputs, columns, mask, features, logits. */
export interface Part {
  readonly from: number;
  readonly count: number;
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  readonly targets: tf.Tensor | null;
  readonly mask: tf.Tensor | null;
  /** What each row counts in the task's loss; null when all count alike. */
  readonly weight: tf.Tensor | null;
  readonly task: tf.Tensor | null;
  readonly features: tf.Tensor;
  readonly logits: tf.Tensor;
}

/** Rows `from` to `to` of a tensor. */
export function between(tensor: tf.Tensor, from: number, to: number): tf.Tensor {
  if (from === 0 && to === tensor.shape[0]) return tensor;
  const begin = tensor.shape.map((_, axis) => (axis === 0 ? from : 0));
  return tf.slice(tensor, begin, [to - from, ...tensor.shape.slice(1)]);
}

/** The rows from and to a position of a step. */
export function partOf(step: Step, from: number, to: number): Part {
  const cut = (tensor: tf.Tensor): tf.Tensor => between(tensor, from, to);
  return {
    from,
    count: to - from,
    x: cut(step.x),
    y: cut(step.y),
    targets: step.targets === null ? null : cut(step.targets),
    mask: step.mask === null || step.mask.shape[0] === 1 ? step.mask : cut(step.mask),
    weight: step.weight === null ? null : cut(step.weight),
    task: step.task === null ? null : cut(step.task),
    features: cut(step.features),
    logits: cut(step.logits),
  };
}

/** The rows that come from the stream. */
export function currentRows(step: Step): Part {
  return partOf(step, 0, step.current);
}

/** The mean cross-entropy, over all columns, of the rows that strategies have joined to the batch, as they count in the task's loss. */
export function pastEntropy(step: Step): tf.Scalar {
  const rows = step.x.shape[0]!;
  if (rows === step.current) return tf.scalar(0);
  return step.targetLoss(partOf(step, step.current, rows));
}

/** The rows joined under a name, or null when none were. */
export function joinedRows(step: Step, name: string): Part | null {
  const range = step.rows[name];
  return range === undefined || range[0] === range[1] ? null : partOf(step, range[0], range[1]);
}

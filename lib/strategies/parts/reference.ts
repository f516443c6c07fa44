/** Remembered examples as inputs of a step of their own, for gradients beside that of the batch. */
import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import type { AskedRows, Batch, Context, HostTensor, Step } from "../strategy.ts";
import { type Rows, withExtra } from "./buffer.ts";

/** Remembered rows on the device: inputs, columns, tasks, and the mask of their columns where not all compete. */
export type Reference = {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  readonly task: tf.Tensor;
  readonly targets?: tf.Tensor;
  readonly mask?: tf.Tensor;
};

function inputs({ x, y, task, targets }: Rows, { mask, stream }: Context): Record<keyof Reference, HostTensor> {
  const masks = mask(task);
  return {
    x: { data: x, shape: [y.length, ...stream.shape] },
    y: { data: y, shape: [y.length] },
    task: { data: task, shape: [y.length] },
    ...(targets !== undefined && { targets: { data: targets, shape: [y.length, targets.length / y.length] } }),
    ...(masks !== null && { mask: masks }),
  } as Record<keyof Reference, HostTensor>;
}

/** The batch with remembered rows beside it, as the extra inputs of a strategy. */
export function referenceInput(batch: Batch, name: string, rows: Rows, context: Context): Batch {
  return withExtra(batch, name, inputs(rows, context));
}

/** Remembered rows that stay on the device. */
export function referenceTensors(rows: Rows, context: Context): Reference {
  const made = Object.entries(inputs(rows, context)).map(([name, { data, shape }]) => [
    name,
    tf.tensor(data, shape as number[], data instanceof Int32Array ? "int32" : "float32"),
  ]);
  return Object.fromEntries(made) as Reference;
}

/** *Traced.* What remembered rows ask for, with the logits of a pass of theirs. */
export function askedOf({ y, targets, mask }: Reference, logits: tf.Tensor): AskedRows {
  return { logits, y, targets: targets ?? null, mask: mask ?? null, weight: null };
}

/** *Traced.* The gradient of the mean loss of remembered rows. */
export function gradientAt(step: Step, rows: Reference): Weights {
  const { x, task } = rows;
  return step.gradient((weights) => step.targetLoss(askedOf(rows, step.forward(x, { weights, task }).logits)));
}

/** The columns of an experience's own classes, for methods whose head learns new classes without touching the old ones. */
import { tf } from "../../engine/index.ts";
import type { Experience } from "../../streams/stream.ts";
import type { Context, Step } from "../strategy.ts";

/** `[1, columns]`: 1 for the classes of an experience. */
export function openColumns(
  { classes }: Pick<Experience, "classes">,
  { columns }: Pick<Context, "columns">,
): tf.Tensor {
  const data = new Float32Array(columns);
  for (const column of classes) data[column] = 1;
  return tf.tensor2d(data, [1, columns]);
}

/**
 * *Traced.* The loss in which rows of the stream compete among the open columns alone; rows that other strategies have joined compete
 * among all. Without open columns it is the step's own. What asks for numbers or several labels asks for those of the open columns.
 */
export function openEntropy(step: Step, open: tf.Tensor | undefined): tf.Scalar {
  if (open === undefined) return step.targetLoss();
  const rows = step.x.shape[0]!;
  const own = tf.cast(tf.less(tf.range(0, rows, 1, "int32"), step.current), "float32");
  const all = tf.maximum(open, tf.expandDims(tf.sub(1, own), 1));
  const mask = step.mask === null ? all : tf.mul(step.mask, all);
  if (step.target !== "class") return step.targetLoss({ ...step, mask });
  return step.crossEntropy(step.logits, step.y, mask, step.weight);
}

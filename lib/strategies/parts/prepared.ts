/** Columns of the past, the present and the future of a stream of classes, and what X-DER asks of logits in each. */
import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import type { Context } from "../strategy.ts";
import { supervisedContrast } from "./contrast.ts";
import { normalised } from "./distillation.ts";

/** Marks of 0 and 1 over the columns, `[1, columns]`; `future` has a row for each group of columns to come. A type, to be a tree. */
export type Ages = {
  /** Columns met before the experience, those that come again included. */
  readonly met: tf.Tensor;
  /** Columns met before the experience that it does not have. */
  readonly past: tf.Tensor;
  readonly present: tf.Tensor;
  readonly future?: tf.Tensor2D;
};

/** The ages of the columns in an experience. Columns to come are grouped as many at a time as the experience has; their order is not known. */
export function agesOf(present: readonly number[], { stream, columns, experience }: Context): Ages {
  const met = new Set<number>();
  for (let e = 0; e < experience; e++) for (const c of stream.classesOf(stream.taskOf(e))) met.add(c);
  const marks = (rows: readonly (readonly number[])[]): tf.Tensor2D => {
    const data = new Float32Array(rows.length * columns);
    rows.forEach((row, r) => {
      for (const column of row) data[r * columns + column] = 1;
    });
    return tf.tensor2d(data, [rows.length, columns]);
  };
  const left = Array.from({ length: columns }, (_, c) => c).filter((c) => !met.has(c) && !present.includes(c));
  const size = Math.max(1, present.length);
  const groups = Array.from({ length: Math.ceil(left.length / size) }, (_, g) => left.slice(g * size, (g + 1) * size));
  return {
    met: marks([[...met]]),
    past: marks([[...met].filter((c) => !present.includes(c))]),
    present: marks([[...present]]),
    ...(groups.length > 0 && { future: marks(groups) }),
  };
}

/** The largest logit of each row among marked columns, `[n]`; very small where none is marked. */
export function largest(logits: tf.Tensor, marks: tf.Tensor): tf.Tensor {
  return tf.max(tf.add(logits, tf.mul(tf.sub(1, marks), excluded)), -1);
}

/** The mean over the rows in which a number is above 0, of that number; 0 when there are none. */
export function meanExcess(excess: tf.Tensor): tf.Scalar {
  const over = tf.step(excess);
  return tf.div(tf.sum(tf.relu(excess)), tf.maximum(tf.sum(over), 1)) as tf.Scalar;
}

/** The mean over groups of columns of the supervised contrastive loss of the logits within the group, as unit vectors. */
export function contrastWithin(logits: tf.Tensor, y: tf.Tensor, groups: tf.Tensor2D, temperature: number): tf.Scalar {
  const losses = tf
    .unstack(groups)
    .map((group) => supervisedContrast(normalised(tf.mul(logits, group)), y, temperature));
  return tf.div(tf.addN(losses), losses.length) as tf.Scalar;
}

/**
 * Logits in which some columns are replaced by newer ones, shrunk so that none of them is above `gamma` times the logit of the label:
 * `new · min(1, gamma · old[y] / max new)`, the factor being at least 0, and 1 where no newer one is above 0.
 */
export function implanted(
  old: tf.Tensor,
  newer: tf.Tensor,
  columns: tf.Tensor,
  labels: tf.Tensor,
  gamma: number,
): tf.Tensor {
  const label = tf.sum(tf.mul(old, labels), -1, true);
  const top = tf.expandDims(largest(newer, columns), -1);
  const share = tf.clipByValue(tf.div(tf.mul(label, gamma), tf.maximum(top, 1e-12)), 0, 1);
  const factor = tf.where(tf.greater(top, 0), share, tf.onesLike(share));
  return tf.add(tf.mul(old, tf.sub(1, columns)), tf.mul(tf.mul(newer, columns), factor));
}

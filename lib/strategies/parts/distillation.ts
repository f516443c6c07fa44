/** Losses between what a network gives and what another gave. */
import { tf } from "../../engine/index.ts";
import { excluded, masked } from "../../models/network.ts";
import type { Context, Step } from "../strategy.ts";
import { currentRows, partOf } from "./rows.ts";

/**
 * `−Σ_c softmax(teacher/T)_c · log softmax(student/T)_c` of each row (Hinton et al. 2015, without the factor T²), over the columns where
 * `columns` (broadcast to the logits) is 1.
 */
export function softCrossEntropies(
  student: tf.Tensor,
  teacher: tf.Tensor,
  temperature: number,
  columns: tf.Tensor | null = null,
): tf.Tensor {
  const softened = (logits: tf.Tensor): tf.Tensor => {
    const cool = tf.div(logits, temperature);
    return columns === null ? cool : tf.add(cool, tf.mul(tf.sub(1, columns), excluded));
  };
  // An excluded column has probability 0 and a log-probability of about −10⁹, whose product is 0.
  return tf.neg(tf.sum(tf.mul(tf.softmax(softened(teacher)), tf.logSoftmax(softened(student))), -1));
}

/**
 * *Traced.* What labels have of a task's loss where the rows from the stream learn from a teacher too, which has the share `weight` of theirs: rows that
 * other strategies have joined ask for their labels alone, and count by their number.
 */
export function labelsLoss(step: Step, weight: number): tf.Scalar {
  const [rows, all] = [step.current, step.x.shape[0]!];
  if (rows === all) return tf.mul(step.targetLoss(), 1 - weight) as tf.Scalar;
  const joined = tf.mul(step.targetLoss(partOf(step, rows, all)), 1 - rows / all) as tf.Scalar;
  if (weight === 1) return joined;
  return tf.add(tf.mul(step.targetLoss(partOf(step, 0, rows)), (1 - weight) * (rows / all)), joined) as tf.Scalar;
}

/** *Traced.* What a teacher's term over the rows from the stream is multiplied by beside `labelsLoss`. */
export const taughtShare = (step: Step, weight: number): number => weight * (step.current / step.x.shape[0]!);

/**
 * *Traced.* The loss of a task whose rows from the stream ask for probabilities: `weight` times the mean of `−Σ_c p_c log q_c` over the columns
 * that compete, p being made to sum to 1 there; the labels have the rest. Rows that other strategies have joined ask for their labels alone, and count by their number.
 */
export function softTargetLoss(step: Step, wanted: tf.Tensor, weight: number): tf.Scalar {
  const { logits, mask } = currentRows(step);
  const inside = mask === null ? wanted : tf.mul(wanted, mask);
  const asked = mask === null ? wanted : tf.div(inside, tf.maximum(tf.sum(inside, -1, true), 1e-7));
  const soft = tf.neg(tf.mean(tf.sum(tf.mul(asked, tf.logSoftmax(masked(logits, mask))), -1)));
  return tf.add(labelsLoss(step, weight), tf.mul(soft, taughtShare(step, weight))) as tf.Scalar;
}

/** The mean over rows and columns of the squared difference. */
export function meanSquares(a: tf.Tensor, b: tf.Tensor): tf.Scalar {
  return tf.mean(tf.square(tf.sub(a, b))) as tf.Scalar;
}

/** Rows of length 1. */
export function normalised(vectors: tf.Tensor): tf.Tensor {
  return tf.div(vectors, tf.sqrt(tf.add(tf.sum(tf.square(vectors), -1, true), 1e-12)));
}

/**
 * Groups of columns that past experiences have taught, `[groups, columns]` of 0 and 1: one row per past task where each has a head of
 * its own, else one row of all columns of the classes met before experience `experience`. Null before the second experience.
 */
export function pastColumns(
  { stream, columns }: Pick<Context, "stream" | "columns">,
  experience: number,
): tf.Tensor2D | null {
  const tasks = new Set<number>();
  for (let i = 0; i < experience; i++) tasks.add(stream.taskOf(i));
  if (tasks.size === 0) return null;
  const own = [...tasks].map((task) => stream.classesOf(task));
  const groups = stream.head === "multi" ? own : [[...new Set(own.flat())]];
  const data = new Float32Array(groups.length * columns);
  groups.forEach((group, g) => {
    for (const column of group) if (column < columns) data[g * columns + column] = 1;
  });
  return tf.tensor2d(data, [groups.length, columns]);
}

/** `[1, columns]`: 1 for the columns that past experiences have taught; null before the second experience. */
export function oldColumns(context: Pick<Context, "stream" | "columns">, experience: number): tf.Tensor | null {
  const groups = pastColumns(context, experience);
  if (groups === null) return null;
  const old = tf.tidy(() => tf.minimum(tf.sum(groups, 0, true), 1));
  groups.dispose();
  return old;
}

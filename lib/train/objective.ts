/** What is asked of the learner for an example, as a loss and as a score: one class, several classes at once, or numbers. */
import { type Examples, gatherTargets, type Target } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import { crossEntropies, masked } from "../models/network.ts";
import type { AskedRows } from "../strategies/strategy.ts";
import type { Score } from "./evaluate.ts";

/**
 * The loss of a batch by what the stream asks for: the mean cross-entropy for one class, or for one at each place of a sequence; for numbers
 * the mean squared error over examples and numbers, for several labels the mean binary cross-entropy over examples and the columns that
 * compete.
 */
export function targetLoss(target: Target, { logits, y, targets, mask, weight }: AskedRows): tf.Scalar {
  if (target === "class") return crossEntropy(logits, y, mask, weight);
  if (target === "tokens") return placesLoss(logits, targets!, mask, weight);
  const [each, counted] = elementLosses(target, { logits, y, targets, mask, weight });
  const shares = weight === null ? counted : tf.mul(counted, tf.expandDims(weight, 1));
  return tf.div(tf.sum(tf.mul(each, shares)), tf.maximum(tf.sum(shares), 1e-12)) as tf.Scalar;
}

/** `[n]`: the loss of each row, the mean over the places or columns where something is asked for. */
export function targetLosses(target: Target, { logits, y, targets, mask }: AskedRows): tf.Tensor {
  if (target === "class") return crossEntropies(masked(logits, mask), y);
  const [each, counted] = elementLosses(target, { logits, y, targets, mask, weight: null });
  return tf.div(tf.sum(tf.mul(each, counted), -1), tf.maximum(tf.sum(counted, -1), 1e-12));
}

/** The losses of the columns or places of each row, and which of them count. */
function elementLosses(target: Exclude<Target, "class">, { logits, targets, mask }: AskedRows): [tf.Tensor, tf.Tensor] {
  const wanted = targets!;
  if (target === "tokens") {
    const open = mask === null ? logits : masked(logits, tf.expandDims(mask, 1));
    const y = tf.cast(tf.reshape(tf.maximum(wanted, 0), [wanted.size]), "int32");
    const each = crossEntropies(tf.reshape(open, [wanted.size, logits.shape.at(-1)!]), y);
    return [tf.reshape(each, wanted.shape), tf.cast(tf.greaterEqual(wanted, 0), "float32")];
  }
  const each =
    target === "numbers"
      ? tf.square(tf.sub(logits, wanted))
      : // log(1 + eᶻ) − t·z, written so that no exponential overflows
        tf.add(tf.sub(tf.relu(logits), tf.mul(logits, wanted)), tf.log1p(tf.exp(tf.neg(tf.abs(logits)))));
  return [each, mask === null ? tf.onesLike(each) : tf.mul(tf.onesLike(each), mask)];
}

/** The mean cross-entropy over the places of `[n, length, columns]` logits where a class is asked for. */
function placesLoss(logits: tf.Tensor, wanted: tf.Tensor, mask: tf.Tensor | null, weight: tf.Tensor | null): tf.Scalar {
  const columns = logits.shape.at(-1)!;
  const open = mask === null ? logits : masked(logits, tf.expandDims(mask, 1));
  const asked = tf.cast(tf.greaterEqual(wanted, 0), "float32");
  const shares = tf.reshape(weight === null ? asked : tf.mul(asked, tf.expandDims(weight, 1)), [wanted.size]);
  const y = tf.cast(tf.reshape(tf.maximum(wanted, 0), [wanted.size]), "int32");
  return crossEntropy(tf.reshape(open, [wanted.size, columns]), y, null, shares);
}

/** The mean cross-entropy of rows under a mask, weighted if weights are given. */
export function crossEntropy(
  logits: tf.Tensor,
  y: tf.Tensor,
  mask: tf.Tensor | null,
  weight: tf.Tensor | null = null,
): tf.Scalar {
  const each = crossEntropies(masked(logits, mask), y);
  return (
    weight === null ? tf.mean(each) : tf.div(tf.sum(tf.mul(each, weight)), tf.maximum(tf.sum(weight), 1e-12))
  ) as tf.Scalar;
}

/**
 * The score of logits (`[n, columns]`, row after row) where what is asked for is not one class, over the columns of the task.
 *
 * For numbers `accuracy` is the coefficient of determination R², the share of the variance that is explained (below 0 when a constant
 * would do better), and the loss is the mean squared error. For several labels it is the share of example and column decided right at
 * a probability of one half, and the loss is the binary cross-entropy. For a class at each place of a sequence (`[n, length, columns]`
 * logits) it is the share of places decided right, and the loss is the cross-entropy.
 */
export function targetScore(
  target: Exclude<Target, "class">,
  logits: Float32Array,
  examples: Examples,
  columns: readonly number[],
): Score {
  const n = examples.length;
  const wanted = gatherTargets(
    examples,
    Uint32Array.from({ length: n }, (_, i) => i),
  );
  const width = examples.targets!.width;
  if (target === "tokens") return placesScore(logits, wanted, columns, n);
  const total = logits.length / n;
  let [loss, right, around] = [0, 0, 0];
  for (const column of columns) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += wanted[i * width + column]!;
    for (let i = 0; i < n; i++) {
      const [z, t] = [logits[i * total + column]!, wanted[i * width + column]!];
      around += (t - sum / n) ** 2;
      if (target === "numbers") loss += (z - t) ** 2;
      else {
        loss += Math.max(z, 0) - z * t + Math.log1p(Math.exp(-Math.abs(z)));
        if (z > 0 === t > 0.5) right++;
      }
    }
  }
  const count = n * columns.length;
  const accuracy = target === "numbers" ? explained(loss, around) : right / count;
  return { examples: n, taskAware: accuracy, taskAgnostic: accuracy, loss: loss / count };
}

/** R²; where there is no variance to explain, 1 for what is met exactly, else 0, as scikit-learn's `r2_score` has it. */
function explained(loss: number, around: number): number {
  if (around > 1e-12) return 1 - loss / around;
  return loss === 0 ? 1 : 0;
}

/**
 * The score of `[n, columns]` logits for one class each, under masks of the columns that compete with and without knowledge of the task;
 * `ruled` says under which the loss is taken.
 */
export function classScore(
  logits: Float32Array,
  labels: Int32Array,
  aware: ArrayLike<number>,
  agnostic: ArrayLike<number> | null,
  ruled: "aware" | "agnostic",
): Score {
  const n = labels.length;
  const total = logits.length / Math.max(1, n);
  const open = (mask: ArrayLike<number> | null): number[] =>
    Array.from({ length: total }, (_, c) => c).filter((c) => mask === null || mask[c] !== 0);
  const [known, free] = [open(aware), open(agnostic)];
  let [right, rightFree, loss] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const at = (column: number): number => logits[i * total + column]!;
    const best = (columns: readonly number[]): number => columns.reduce((a, b) => (at(b) > at(a) ? b : a));
    if (best(known) === labels[i]) right++;
    if (best(free) === labels[i]) rightFree++;
    const columns = ruled === "aware" ? known : free;
    const most = at(best(columns));
    loss += most + Math.log(columns.reduce((sum, c) => sum + Math.exp(at(c) - most), 0)) - at(labels[i]!);
  }
  return { examples: n, taskAware: right / n, taskAgnostic: rightFree / n, loss: loss / n };
}

/** The score of the places where a class is asked for, over the columns that compete. */
function placesScore(logits: Float32Array, wanted: Float32Array, columns: readonly number[], n: number): Score {
  const total = logits.length / wanted.length;
  let [asked, right, loss] = [0, 0, 0];
  wanted.forEach((label, place) => {
    if (label < 0) return;
    let [best, sum] = [columns[0]!, 0];
    const at = (column: number): number => logits[place * total + column]!;
    for (const column of columns) if (at(column) > at(best)) best = column;
    for (const column of columns) sum += Math.exp(at(column) - at(best));
    asked++;
    if (best === label) right++;
    loss += at(best) + Math.log(sum) - at(label);
  });
  const accuracy = right / Math.max(1, asked);
  return { examples: n, taskAware: accuracy, taskAgnostic: accuracy, loss: loss / Math.max(1, asked) };
}

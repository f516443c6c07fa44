/** What methods share that learn in closed form over vectors: inputs, or features of a network that is trained no more. */
import { type Examples, gather, sizeOf } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import type { Context, Hooks, Prediction } from "../strategy.ts";
import { normalised } from "./distillation.ts";

/**
 * What the vectors are. `inputs`: the examples themselves; the network is not used. `features`: the network's features as it begins
 * (pretrained, or random). `trained`: its features after it has been trained on the first experience in the ordinary way.
 */
export type Vectors = "inputs" | "features" | "trained";
export const vectorKinds: readonly Vectors[] = ["inputs", "features", "trained"];

/** The vectors of a table, row after row; features of a sequence place after place. */
export function vectorsOf(of: Vectors, examples: Examples, context: Context): { rows: Float32Array; width: number } {
  if (of !== "inputs") {
    const rows = context.outputs(examples).features;
    return { rows, width: context.network.width.at(-1)! };
  }
  const all = Uint32Array.from({ length: examples.length }, (_, i) => i);
  return { rows: gather(examples, all), width: sizeOf(examples.shape) };
}

/** *Traced.* The vectors of examples that are predicted. */
export function predictedVectors(of: Vectors, { x, features }: Prediction): tf.Tensor2D {
  if (of === "inputs") return tf.reshape(x, [x.shape[0]!, -1]) as tf.Tensor2D;
  return (features.rank === 2 ? features : tf.reshape(features, [-1, features.shape.at(-1)!])) as tf.Tensor2D;
}

/** The hooks that bring each experience's examples to `learn`, after the network's own training where there is any. */
export function closedForm<S extends object>(
  of: Vectors,
  learn: (state: S, examples: Examples, context: Context) => S,
): Pick<Hooks<S>, "learn" | "data" | "afterExperience"> {
  if (of !== "trained") return { learn: (state, { train }, context) => learn(state, train, context) };
  return {
    data: (_state, { train, index }) => (index === 0 ? train : { ...train, length: 0, labels: new Int32Array(0) }),
    afterExperience: (state, { index }, context) => learn(state, context.stream.experience(index).train, context),
  };
}

/** `[1, columns]`: 1 for these columns and those that were marked before. */
export function marked(columns: number, classes: Iterable<number>, before?: tf.Tensor): tf.Tensor2D {
  const row = new Float32Array(columns);
  if (before !== undefined) row.set(before.dataSync() as Float32Array);
  for (const column of classes) row[column] = 1;
  return tf.tensor2d(row, [1, columns]);
}

/** *Traced.* Scores in which only classes that were seen compete, with columns for those that came later. */
export function amongSeen(scores: tf.Tensor, seen: tf.Tensor, columns: number): tf.Tensor {
  const open = tf.where(tf.greater(tf.add(tf.zerosLike(scores), seen), 0), scores, tf.fill(scores.shape, excluded));
  const missing = columns - scores.shape[1]!;
  return missing === 0
    ? open
    : tf.pad(
        open,
        [
          [0, 0],
          [0, missing],
        ],
        excluded,
      );
}

/** Sums over vectors from which means, covariances and least squares follow exactly, whatever the order in which they came. */
export interface Moments {
  readonly width: number;
  readonly classes: number;
  readonly counts: Float64Array;
  /** Sums of the vectors of each class, row after row. */
  readonly sums: Float64Array;
  /** `Σ v vᵀ` over all vectors. */
  readonly gram: Float64Array;
}

/** Rows per product on the device. */
const slab = 1024;

/** `rowsᵀ rows` in double precision sums of single precision products. */
export function gramOf(
  rows: Float32Array,
  width: number,
  onto: Float64Array = new Float64Array(width * width),
): Float64Array {
  const n = rows.length / width;
  for (let start = 0; start < n; start += slab) {
    const part = tf.tidy(() => {
      const x = tf.tensor2d(rows.slice(start * width, Math.min(n, start + slab) * width), [
        Math.min(n - start, slab),
        width,
      ]);
      return tf.matMul(x, x, true, false).dataSync();
    });
    for (let i = 0; i < part.length; i++) onto[i]! += part[i]!;
  }
  return onto;
}

/** The moments with more vectors; null begins. Vectors are scaled by nothing and centred on nothing. */
export function withVectors(
  moments: Moments | null,
  rows: Float32Array,
  width: number,
  labels: Int32Array,
  classes: number,
): Moments {
  const counts = new Float64Array(classes);
  const sums = new Float64Array(classes * width);
  counts.set(moments?.counts ?? []);
  sums.set(moments?.sums ?? []);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    counts[label]! += 1;
    for (let j = 0; j < width; j++) sums[label * width + j]! += rows[i * width + j]!;
  }
  const gram = moments?.gram.slice() ?? new Float64Array(width * width);
  return { width, classes, counts, sums, gram: gramOf(rows, width, gram) };
}

/** The mean of each class, row after row; zeros for classes without vectors. */
export function classMeans({ sums, counts, width }: Pick<Moments, "sums" | "counts" | "width">): Float64Array {
  return sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / width)]!));
}

/** The covariance within classes, pooled over all vectors. */
export function pooledCovariance(moments: Moments): Float64Array {
  const { gram, counts, width, classes } = moments;
  const means = classMeans(moments);
  const total = counts.reduce((a, b) => a + b, 0);
  const out = gram.slice();
  for (let c = 0; c < classes; c++) {
    if (counts[c] === 0) continue;
    const mean = means.subarray(c * width, (c + 1) * width);
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) out[i * width + j]! -= counts[c]! * mean[i]! * mean[j]!;
  }
  for (let i = 0; i < out.length; i++) out[i]! /= Math.max(1, total);
  return out;
}

/** The mean of the unit vectors of each class's rows, and how many there are. */
export function unitMeans(
  vectors: Float32Array,
  labels: Int32Array,
  columns: number,
): { means: tf.Tensor; seen: tf.Tensor } {
  const width = vectors.length / labels.length;
  const counts = new Float64Array(columns);
  const sums = new Float64Array(columns * width);
  labels.forEach((label, i) => {
    counts[label]! += 1;
    for (let j = 0; j < width; j++) sums[label * width + j]! += vectors[i * width + j]!;
  });
  const means = Float32Array.from(classMeans({ sums, counts, width }));
  return { means: tf.tensor2d(means, [columns, width]), seen: tf.tensor1d(Float32Array.from(counts)) };
}

/** *Traced.* `−‖v − mean_c‖² + ‖v‖²` for unit vectors v of features, among classes that were seen. */
export function nearness(
  features: tf.Tensor,
  { means, seen }: { means: tf.Tensor; seen: tf.Tensor },
  columns: number,
): tf.Tensor {
  const near = tf.matMul(normalised(features) as tf.Tensor2D, means as tf.Tensor2D, false, true);
  return amongSeen(tf.sub(tf.mul(near, 2), tf.sum(tf.square(means), 1)), seen, columns);
}

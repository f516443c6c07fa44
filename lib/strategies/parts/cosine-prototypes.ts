/** Classifiers by the cosine of an example's features and the mean features of each class. */
import { tf } from "../../engine/index.ts";
import { amongSeen, classMeans } from "./closed-form.ts";
import { cosines } from "./prompts.ts";

/** Sums of the vectors of each class, row after row, how many there were, and the means as tensors. */
export interface CosinePrototypes {
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  readonly tensors: { readonly means: tf.Tensor; readonly seen: tf.Tensor };
}

/** The prototypes with more rows; null begins. */
export function withRows(
  before: Pick<CosinePrototypes, "sums" | "counts"> | null,
  rows: Float32Array,
  labels: Int32Array,
  columns: number,
): CosinePrototypes {
  const width = labels.length === 0 ? (before?.sums.length ?? 0) / Math.max(1, columns) : rows.length / labels.length;
  const sums = new Float64Array(columns * width);
  const counts = new Float64Array(columns);
  sums.set(before?.sums ?? []);
  counts.set(before?.counts ?? []);
  for (const [i, label] of labels.entries()) {
    counts[label]! += 1;
    for (let j = 0; j < width; j++) sums[label * width + j]! += rows[i * width + j]!;
  }
  const means = Float32Array.from(classMeans({ sums, counts, width }));
  const tensors = { means: tf.tensor2d(means, [columns, width]), seen: tf.tensor1d(Float32Array.from(counts)) };
  return { sums, counts, tensors };
}

/** *Traced.* The cosines of vectors and class means, among classes that were seen. */
export function cosineScores(
  vectors: tf.Tensor,
  { means, seen }: CosinePrototypes["tensors"],
  columns: number,
): tf.Tensor {
  return amongSeen(cosines(vectors, means), seen, columns);
}

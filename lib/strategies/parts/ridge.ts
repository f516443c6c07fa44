/** Ridge regression onto classes over random features: exact, and the same whatever the order in which examples come. */

import type { Examples } from "../../data/dataset.ts";
import { type Rng, tf } from "../../engine/index.ts";
import type { Context, Hooks } from "../strategy.ts";
import { amongSeen, closedForm, gramOf, predictedVectors, type Vectors, vectorsOf } from "./closed-form.ts";
import { solveSymmetric } from "./linear-algebra.ts";

/** Sums from which the regression follows. */
export interface RidgeSums {
  readonly width: number;
  /** `Σ h hᵀ`. */
  readonly gram: Float64Array;
  /** `Σ h yᵀ`, a row for each class. */
  readonly cross: Float64Array;
  readonly counts: Float64Array;
}

/** The state of a ridge learner. */
export interface RidgeMemory {
  readonly sums: RidgeSums | null;
  readonly tensors:
    | { readonly projection: tf.Tensor; readonly kernel?: tf.Tensor; readonly seen?: tf.Tensor }
    | undefined;
}

/** The sums with more rows. */
export function withRidgeRows(
  sums: RidgeSums | null,
  rows: Float32Array,
  width: number,
  labels: Int32Array,
  classes: number,
): RidgeSums {
  const cross = new Float64Array(classes * width);
  const counts = new Float64Array(classes);
  cross.set(sums?.cross ?? []);
  counts.set(sums?.counts ?? []);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    counts[label]! += 1;
    for (let j = 0; j < width; j++) cross[label * width + j]! += rows[i * width + j]!;
  }
  return { width, gram: gramOf(rows, width, sums?.gram.slice()), cross, counts };
}

/** The weights `(Σ h hᵀ + ridge · I)⁻¹ Σ h yᵀ`, `width × classes`. */
export function ridgeWeights({ width, gram, cross, counts }: RidgeSums, ridge: number): Float64Array {
  const classes = counts.length;
  const a = gram.slice();
  for (let i = 0; i < width; i++) a[i * width + i]! += ridge;
  const b = new Float64Array(width * classes);
  for (let c = 0; c < classes; c++) for (let i = 0; i < width; i++) b[i * classes + c] = cross[c * width + i]!;
  return solveSymmetric(a, b, width, classes);
}

/** `relu(vectors · projection)`. */
function expanded(rows: Float32Array, width: number, projection: tf.Tensor): Float32Array {
  const n = rows.length / width;
  return tf.tidy(() =>
    tf.relu(tf.matMul(tf.tensor2d(rows, [n, width]), projection as tf.Tensor2D)).dataSync(),
  ) as Float32Array;
}

/** Settings of a ridge learner. */
export interface RidgeOptions {
  readonly of: Vectors;
  /** Random features. */
  readonly units: number;
  readonly ridge: number;
  /** How the random projection is drawn. */
  readonly draw: (rng: Rng, inputs: number, units: number) => tf.Tensor;
}

/** The hooks of a learner that solves a ridge regression over random rectified features of the vectors after each experience. */
export function ridgeHooks({ of, units, ridge, draw }: RidgeOptions): Hooks<RidgeMemory> {
  const learn = ({ sums, tensors }: RidgeMemory, examples: Examples, context: Context): RidgeMemory => {
    if (examples.length === 0) return { sums, tensors };
    const { rows, width } = vectorsOf(of, examples, context);
    const projection = tensors?.projection ?? draw(context.rng.at("projection"), width, units);
    const next = withRidgeRows(sums, expanded(rows, width, projection), units, examples.labels, context.columns);
    const kernel = tf.tensor2d(Float32Array.from(ridgeWeights(next, ridge)), [units, context.columns]);
    return { sums: next, tensors: { projection, kernel, seen: tf.tensor1d(Float32Array.from(next.counts)) } };
  };
  return {
    init: (): RidgeMemory => ({ sums: null, tensors: undefined }),
    ...closedForm<RidgeMemory>(of, learn),
    predict({ tensors }, given) {
      if (tensors?.kernel === undefined) return given.logits;
      const vectors = tf.relu(tf.matMul(predictedVectors(of, given), tensors.projection as tf.Tensor2D));
      const scores = tf.matMul(vectors, tensors.kernel as tf.Tensor2D);
      return amongSeen(scores, tensors.seen!, given.logits.shape[1]!);
    },
  };
}

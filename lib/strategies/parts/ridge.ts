/** Ridge regression onto classes or numbers over vectors or random features of them: exact, and the same whatever the order in which examples come. */

import { type Examples, gatherTargets } from "../../data/dataset.ts";
import { type Rng, tf } from "../../engine/index.ts";
import { solveSymmetric } from "../../engine/linear-algebra.ts";
import type { Context, Hooks } from "../strategy.ts";
import { amongSeen, closedForm, gramOf, predictedVectors, type Vectors, vectorsOf } from "./closed-form.ts";

/** Sums from which the regression follows. */
export interface RidgeSums {
  readonly width: number;
  /** `Σ h hᵀ`. */
  readonly gram: Float64Array;
  /** `Σ h yᵀ`, a row for each class or number. */
  readonly cross: Float64Array;
  readonly counts: Float64Array;
}

/** The state of a ridge learner; `projection` is there where the vectors go through a random layer. */
export interface RidgeMemory {
  readonly sums: RidgeSums | null;
  readonly tensors:
    | { readonly projection?: tf.Tensor; readonly kernel?: tf.Tensor; readonly seen?: tf.Tensor }
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

/** The sums with more rows that ask for numbers, `columns` each. */
export function withRidgeNumbers(
  sums: RidgeSums | null,
  rows: Float32Array,
  width: number,
  wanted: Float32Array,
  columns: number,
): RidgeSums {
  const n = rows.length / width;
  const cross = new Float64Array(columns * width);
  const counts = new Float64Array(columns);
  cross.set(sums?.cross ?? []);
  counts.set(sums?.counts ?? []);
  for (let c = 0; c < columns; c++) {
    counts[c]! += n;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < width; j++) cross[c * width + j]! += wanted[i * columns + c]! * rows[i * width + j]!;
  }
  return { width, gram: gramOf(rows, width, sums?.gram.slice()), cross, counts };
}

/** The weights `(Σ h hᵀ + ridge · I)⁻¹ Σ h yᵀ`, `width × classes`; the ridge is on the first `pulled` of them. */
export function ridgeWeights(
  { width, gram, cross, counts }: RidgeSums,
  ridge: number,
  pulled: number = width,
): Float64Array {
  const classes = counts.length;
  const a = gram.slice();
  for (let i = 0; i < pulled; i++) a[i * width + i]! += ridge;
  const b = new Float64Array(width * classes);
  for (let c = 0; c < classes; c++) for (let i = 0; i < width; i++) b[i * classes + c] = cross[c * width + i]!;
  return solveSymmetric(a, b, width, classes);
}

/** *Traced.* `relu(vectors · projection)`, or without a random layer the vectors with a 1 behind each. */
function expanded(vectors: tf.Tensor2D, projection: tf.Tensor | undefined): tf.Tensor2D {
  if (projection === undefined) return tf.concat([vectors, tf.ones([vectors.shape[0], 1])], 1);
  return tf.relu(tf.matMul(vectors, projection as tf.Tensor2D));
}

/** A random layer before the regression: how many units, and how its weights are drawn. */
export interface RandomLayer {
  readonly units: number;
  readonly draw: (rng: Rng, inputs: number, units: number) => tf.Tensor;
}

/**
 * The hooks of a learner that solves a ridge regression after each experience: over random rectified features of the vectors, or over the
 * vectors themselves with an intercept that is not pulled.
 */
export function ridgeHooks(of: Vectors, ridge: number, layer?: RandomLayer): Hooks<RidgeMemory> {
  const learn = ({ sums, tensors }: RidgeMemory, examples: Examples, context: Context): RidgeMemory => {
    if (examples.length === 0) return { sums, tensors };
    const { rows, labels, numbers, width } = askedRows(of, examples, context);
    if (rows.length === 0) return { sums, tensors };
    const projection = tensors?.projection ?? layer?.draw(context.rng.at("projection"), width, layer.units);
    const units = layer?.units ?? width + 1;
    const whole = tf.tidy(() => expanded(tf.tensor2d(rows, [rows.length / width, width]), projection).dataSync());
    const next =
      numbers === null
        ? withRidgeRows(sums, whole as Float32Array, units, labels, context.columns)
        : withRidgeNumbers(sums, whole as Float32Array, units, numbers, context.columns);
    const weights = ridgeWeights(next, ridge, layer === undefined ? width : units);
    const kernel = tf.tensor2d(Float32Array.from(weights), [units, context.columns]);
    const seen = tf.tensor1d(Float32Array.from(next.counts));
    return { sums: next, tensors: { kernel, seen, ...(projection !== undefined && { projection }) } };
  };
  return {
    tokens: of === "inputs" ? 'tokens as numbers are no vectors; take of: "features" or "trained"' : true,
    init({ stream }): RidgeMemory {
      if (stream.head === "multi" && (stream.target === "numbers" || stream.target === "labels"))
        throw new TypeError(
          'ridge regression: a stream whose tasks ask for the same numbers is required, got one that gives each task outputs of its own; leave scenario("task") out',
        );
      return { sums: null, tensors: undefined };
    },
    ...closedForm<RidgeMemory>(of, learn),
    rowwise: true,
    predict({ tensors }, given) {
      if (tensors?.kernel === undefined) return given.logits;
      const vectors = expanded(predictedVectors(of, given), tensors.projection);
      const scores = tf.matMul(vectors, tensors.kernel as tf.Tensor2D);
      const open = amongSeen(scores, tensors.seen!, given.logits.shape.at(-1)!);
      return given.logits.rank === 2 ? open : tf.reshape(open, given.logits.shape);
    },
  };
}

/** Vectors, and the label or the numbers that each asks for: of a sequence one at each place where something is asked. */
function askedRows(of: Vectors, examples: Examples, context: Context) {
  const { rows, width } = vectorsOf(of, examples, context);
  const { target } = context.stream;
  if (target === undefined || target === "class" || examples.targets === undefined)
    return { rows, width, labels: examples.labels, numbers: null };
  const wanted = gatherTargets(
    examples,
    Uint32Array.from({ length: examples.length }, (_, i) => i),
  );
  // the sign tells whether a label is given: it is decided at 0, as of logits
  if (target !== "tokens")
    return {
      rows,
      width,
      labels: examples.labels,
      numbers: target === "labels" ? wanted.map((t) => 2 * t - 1) : wanted,
    };
  const asked = [...wanted.keys()].filter((place) => wanted[place]! >= 0);
  const own = new Float32Array(asked.length * width);
  asked.forEach((place, k) => {
    own.set(rows.subarray(place * width, (place + 1) * width), k * width);
  });
  return { rows: own, width, labels: Int32Array.from(asked, (place) => wanted[place]!), numbers: null };
}

import type { Examples } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { inverseSymmetric } from "../../engine/linear-algebra.ts";
import { amongSeen, closedForm, predictedVectors, type Vectors, vectorKinds, vectorsOf } from "../parts/closed-form.ts";
import { normalised } from "../parts/distillation.ts";
import { requireNumber, requireOneOf, strategy } from "../strategy.ts";

interface Known {
  readonly mean: Float64Array;
  readonly precision: Float64Array;
}

interface Memory {
  readonly known: ReadonlyMap<number, Known>;
  readonly tensors: { readonly means: tf.Tensor; readonly precisions: tf.Tensor; readonly seen: tf.Tensor } | undefined;
}

/**
 * FeCAM: nearest class by the Mahalanobis distance, with a covariance for each class.
 *
 * Vectors go through Tukey's transform `v^power`; each class's covariance is shrunk, `Σ + γ₁ V₁ I + γ₂ V₂ (1 − I)` with V₁ and V₂ the means
 * of its diagonal and of the rest, and normalised to a correlation matrix. The score is the negative distance of the transformed vector
 * from the transformed mean, each of length 1 with `unit`. Memory: a square matrix for each class. A class is learnt from the experience in which it
 * first comes.
 *
 * Goswami et al. 2023, arXiv:2309.14062, eq. 4–9.
 * Differs from the paper: the authors' code shrinks twice; here once. Its networks are pretrained or trained on the first task
 * (of: "trained").
 *
 * @example
 * ```ts
 * import { fecam } from "thalweg";
 * fecam({ of: "trained", gamma1: 1, gamma2: 1 });
 * ```
 */
export const fecam = strategy(
  "fecam",
  {
    /** What the vectors are: "inputs", "features" of the network as it begins, or features "trained" on the first experience. */
    of: "trained" as Vectors,
    /** Shrinkage of the diagonal and of the rest, in multiples of their means. */
    gamma1: 1,
    gamma2: 1,
    /** The exponent of Tukey's transform, of vectors that are at least 0; 1 leaves them as they are. */
    power: 0.5,
    /** Whether vectors and means have length 1 in the distance, as in the authors' code. */
    unit: true,
  },
  ({ of, gamma1, gamma2, power, unit }) => {
    requireOneOf("fecam", "of", of, vectorKinds);
    requireNumber("fecam", "gamma1", gamma1, 0);
    requireNumber("fecam", "gamma2", gamma2, 0);
    requireNumber("fecam", "power", power, 0.01, 1);
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      init: (): Memory => ({ known: new Map(), tensors: undefined }),
      ...closedForm<Memory>(of, (memory, examples, context) => {
        const { rows, width } = vectorsOf(of, examples, context);
        const known = withClasses(memory.known, examples, rows, width, { gamma1, gamma2, power, unit });
        return { known, tensors: asTensors(known, width, context.columns) };
      }),
      rowwise: true,
      predict({ tensors }, given) {
        if (tensors === undefined) return given.logits;
        const raw = predictedVectors(of, given);
        const moved = power === 1 ? raw : tf.pow(tf.relu(raw), power);
        const vectors = unit ? normalised(moved) : moved;
        const apart = tf.sub(tf.expandDims(vectors, 0), tf.expandDims(tensors.means, 1));
        const distances = tf.sum(tf.mul(tf.matMul(apart as tf.Tensor3D, tensors.precisions as tf.Tensor3D), apart), -1);
        return amongSeen(tf.neg(tf.transpose(distances)), tensors.seen, given.logits.shape[1]!);
      },
    };
  },
);

interface Settings {
  readonly gamma1: number;
  readonly gamma2: number;
  readonly power: number;
  readonly unit: boolean;
}

function withClasses(
  known: ReadonlyMap<number, Known>,
  { labels }: Examples,
  rows: Float32Array,
  width: number,
  { gamma1, gamma2, power, unit }: Settings,
): Map<number, Known> {
  const tukey = (v: number): number => (power === 1 ? v : Math.max(v, 0) ** power);
  const moved = rows.map(tukey);
  const next = new Map(known);
  for (const label of new Set(labels)) {
    if (known.has(label)) continue;
    const own = [...labels.keys()].filter((i) => labels[i] === label);
    const meanOf = (of: Float32Array): Float64Array => {
      const sum = new Float64Array(width);
      for (const i of own) for (let j = 0; j < width; j++) sum[j]! += of[i * width + j]! / own.length;
      return sum;
    };
    const center = meanOf(moved);
    const covariance = new Float64Array(width * width);
    const apart = new Float64Array(width);
    for (const i of own) {
      for (let j = 0; j < width; j++) apart[j] = moved[i * width + j]! - center[j]!;
      for (let j = 0; j < width; j++)
        for (let k = 0; k < width; k++)
          covariance[j * width + k]! += (apart[j]! * apart[k]!) / Math.max(1, own.length - 1);
    }
    const mean = meanOf(rows).map(tukey);
    const size = unit ? Math.hypot(...mean) || 1 : 1;
    next.set(label, {
      mean: mean.map((v) => v / size),
      precision: inverseSymmetric(correlation(covariance, width, gamma1, gamma2), width),
    });
  }
  return next;
}

/** The shrunk covariance as a correlation matrix. */
function correlation(covariance: Float64Array, n: number, gamma1: number, gamma2: number): Float64Array {
  let [diagonal, rest] = [0, 0];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      if (i === j) diagonal += covariance[i * n + j]! / n;
      else rest += covariance[i * n + j]! / Math.max(1, n * (n - 1));
    }
  const shrunk = covariance.map((v, at) => {
    const same = Math.floor(at / n) === at % n;
    return v + (same ? gamma1 * diagonal + 1e-8 : gamma2 * rest);
  });
  return shrunk.map((v, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return v / Math.sqrt(shrunk[i * n + i]! * shrunk[j * n + j]!) + (i === j ? 1e-6 : 0);
  });
}

function asTensors(known: ReadonlyMap<number, Known>, width: number, columns: number): NonNullable<Memory["tensors"]> {
  const means = new Float32Array(columns * width);
  const precisions = new Float32Array(columns * width * width);
  const seen = new Float32Array(columns);
  for (const [label, { mean, precision }] of known) {
    means.set(mean, label * width);
    precisions.set(precision, label * width * width);
    seen[label] = 1;
  }
  return {
    means: tf.tensor2d(means, [columns, width]),
    precisions: tf.tensor3d(precisions, [columns, width, width]),
    seen: tf.tensor1d(seen),
  };
}

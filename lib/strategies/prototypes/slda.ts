import { tf } from "../../engine/index.ts";
import { inverseSymmetric } from "../../engine/linear-algebra.ts";
import {
  amongSeen,
  classMeans,
  closedForm,
  type Moments,
  pooledCovariance,
  predictedVectors,
  type Vectors,
  vectorKinds,
  vectorsOf,
  withVectors,
} from "../parts/closed-form.ts";
import { requireNumber, requireOneOf, strategy } from "../strategy.ts";

interface Memory {
  readonly moments: Moments | null;
  readonly tensors: { readonly kernel: tf.Tensor; readonly bias: tf.Tensor; readonly seen: tf.Tensor } | undefined;
}

/**
 * Deep streaming linear discriminant analysis: a running mean of each class and one covariance, shared by all classes.
 *
 * With `Λ = ((1 − shrinkage) Σ + shrinkage · I)⁻¹` the score of class c is `v·Λμ_c − ½ μ_c·Λμ_c`. Means and covariance are exact sums, so
 * the outcome does not depend on the order of the stream.
 *
 * Hayes and Kanan 2020, arXiv:1909.01520, eq. 1–4.
 * Differs from the paper: Σ is the pooled covariance about the final class means; the paper's running update uses the mean at each
 * moment, which is the same in the limit.
 *
 * @example
 * ```ts
 * import { slda } from "thalweg";
 * slda({ of: "inputs" });
 * ```
 */
export const slda = strategy(
  "slda",
  {
    /** What the vectors are: "inputs", "features" of the network as it begins, or features "trained" on the first experience. */
    of: "features" as Vectors,
    /** Share of the identity in the covariance, in (0, 1]. */
    shrinkage: 1e-4,
  },
  ({ of, shrinkage }) => {
    requireOneOf("slda", "of", of, vectorKinds);
    requireNumber("slda", "shrinkage", shrinkage, 1e-12, 1);
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      init: (): Memory => ({ moments: null, tensors: undefined }),
      ...closedForm<Memory>(of, ({ moments }, examples, context) => {
        const { rows, width } = vectorsOf(of, examples, context);
        const next = withVectors(moments, rows, width, examples.labels, context.columns);
        return { moments: next, tensors: discriminant(next, shrinkage) };
      }),
      rowwise: true,
      predict({ tensors }, given) {
        if (tensors === undefined) return given.logits;
        const scores = tf.add(tf.matMul(predictedVectors(of, given), tensors.kernel as tf.Tensor2D), tensors.bias);
        return amongSeen(scores, tensors.seen, given.logits.shape[1]!);
      },
    };
  },
);

function discriminant(moments: Moments, shrinkage: number): NonNullable<Memory["tensors"]> {
  const { width, classes, counts } = moments;
  const covariance = pooledCovariance(moments);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++)
      covariance[i * width + j] = covariance[i * width + j]! * (1 - shrinkage) + (i === j ? shrinkage : 0);
  const precision = inverseSymmetric(covariance, width);
  const means = classMeans(moments);
  const kernel = new Float32Array(width * classes);
  const bias = new Float32Array(classes);
  for (let c = 0; c < classes; c++) {
    for (let i = 0; i < width; i++) {
      let sum = 0;
      for (let j = 0; j < width; j++) sum += precision[i * width + j]! * means[c * width + j]!;
      kernel[i * classes + c] = sum;
      bias[c]! -= 0.5 * sum * means[c * width + i]!;
    }
  }
  return {
    kernel: tf.tensor2d(kernel, [width, classes]),
    bias: tf.tensor1d(bias),
    seen: tf.tensor1d(Float32Array.from(counts)),
  };
}

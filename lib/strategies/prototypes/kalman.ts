import type { Examples } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { amongSeen, closedForm, predictedVectors, type Vectors, vectorKinds, vectorsOf } from "../parts/closed-form.ts";
import { type Belief, drifted, logLikelihood, observed, vague } from "../parts/kalman-filter.ts";
import { type Context, requireNumber, requireOneOf, strategy } from "../strategy.ts";

interface Memory {
  readonly belief: Belief | null;
  /** How much of the weights is kept from batch to batch, as a logit. */
  readonly memory: number;
  readonly counts: Float32Array;
  readonly tensors:
    | { readonly kernel: tf.Tensor; readonly seen: tf.Tensor; readonly covariance?: tf.Tensor }
    | undefined;
}

/**
 * A linear head followed by a Kalman filter: a belief over its weights, which may drift.
 *
 * Weights have a normal prior of deviation `prior`; between batches `w ← γ w + noise` with `noise` such that the prior stays what it is, and
 * a batch of vectors v (with a 1 for the bias) is seen as `y = v·w + noise` of deviation `noise`, y being 1 for the label and 0 for other
 * classes. Predictions are means, or with `uncertain` means over the predictive variance `v P vᵀ + noise²`, whose softmax is the probability
 * of each class by Bayes' rule: far from all that was seen it is nearly even. With γ = 1, the default, nothing drifts and this is exact Bayesian (ridge) regression, in any order. With
 * `drift: "learnt"` γ moves along the slope of the log-likelihood of each batch before it is seen: right for streams that really drift and
 * are judged on what comes next. Where classes come one after the other, forgetting the absent ones is what makes the next batch
 * likeliest, and that is what is learnt.
 *
 * Titsias et al. 2023, arXiv:2306.08448, eq. 3–9.
 * Differs from the paper: γ is learnt only when asked for; classes are seen by regression onto 0 and 1, without its sampled softmax; the
 * slope for γ is a central difference.
 *
 * Implements: P269 Kalman OCL classifier
 *
 * @example
 * ```ts
 * import { kalman } from "thalweg";
 * kalman({ of: "features", drift: "learnt", keep: 0.999 });
 * ```
 */
export const kalman = strategy(
  "kalman",
  {
    /** What the vectors are: "inputs", "features" of the network as it begins, or features "trained" on the first experience. */
    of: "features" as Vectors,
    /** Whether γ is learnt, or stays at `keep`. */
    drift: "fixed" as "fixed" | "learnt",
    /** γ at the start, in (0, 1]; to be learnt it must begin below 1. */
    keep: 1,
    /** Rate of the descent on the logit of γ. */
    rate: 0.1,
    /** Deviations of the prior of a weight and of an observation. */
    prior: 1,
    noise: 0.3,
    /** Whether scores are divided by the variance that is predicted for the example; which class is best stays the same. */
    uncertain: false,
  },
  ({ of, drift, keep, rate, prior, noise, uncertain }) => {
    requireOneOf("kalman", "of", of, vectorKinds);
    requireOneOf("kalman", "drift", drift, ["fixed", "learnt"]);
    requireNumber("kalman", "keep", keep, 1e-3, drift === "fixed" ? 1 : 0.999999);
    requireNumber("kalman", "rate", rate, 0);
    requireNumber("kalman", "prior", prior, 1e-6);
    requireNumber("kalman", "noise", noise, 1e-6);
    const gamma = (logit: number): number => (logit === Number.POSITIVE_INFINITY ? 1 : 1 / (1 + Math.exp(-logit)));
    const learn = (state: Memory, examples: Examples, context: Context): Memory => {
      if (examples.length === 0) return state;
      const { rows, width } = vectorsOf(of, examples, context);
      const { columns, batch } = context;
      let belief = state.belief === null ? vague(width + 1, columns, prior) : widened(state.belief, columns);
      let { memory } = state;
      const counts = Float32Array.from({ length: columns }, (_, c) => state.counts[c] ?? 0);
      for (let start = 0; start < examples.length; start += batch) {
        const labels = examples.labels.subarray(start, Math.min(examples.length, start + batch));
        const vectors = new Float64Array(labels.length * (width + 1));
        for (let i = 0; i < labels.length; i++) {
          for (let j = 0; j < width; j++) vectors[i * (width + 1) + j] = rows[(start + i) * width + j]!;
          vectors[i * (width + 1) + width] = 1;
          counts[labels[i]!]!++;
        }
        if (drift === "learnt" && start + examples.length > batch) {
          const by = 0.05;
          const at = (logit: number): number =>
            logLikelihood(drifted(belief, gamma(logit), prior), vectors, labels, noise);
          const slope = (at(memory + by) - at(memory - by)) / (2 * by * labels.length);
          memory = Math.min(20, Math.max(-2, memory + rate * Math.max(-10, Math.min(10, slope))));
        }
        const kept = drift === "fixed" ? keep : gamma(memory);
        belief = observed(drifted(belief, kept, prior), vectors, labels, noise);
      }
      const kernel = tf.tensor2d(Float32Array.from(belief.mean), [width + 1, columns]);
      const tensors = { kernel, seen: tf.tensor1d(counts), ...(uncertain && { covariance: covarianceOf(belief) }) };
      return { belief, memory, counts, tensors };
    };
    const start = Math.log(keep / (1 - keep));
    return {
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      classes: true,
      init: (): Memory => ({ belief: null, memory: start, counts: new Float32Array(0), tensors: undefined }),
      ...closedForm<Memory>(of, learn),
      rowwise: true,
      predict({ tensors }: Partial<Memory>, given) {
        if (tensors === undefined) return given.logits;
        const vectors = predictedVectors(of, given);
        const whole = tf.concat([vectors, tf.ones([vectors.shape[0], 1])], 1);
        const means = tf.matMul(whole as tf.Tensor2D, tensors.kernel as tf.Tensor2D);
        return amongSeen(evened(means, whole, tensors.covariance, noise), tensors.seen, given.logits.shape[1]!);
      },
    };
  },
);

function covarianceOf({ covariance, width }: Belief): tf.Tensor {
  return tf.tensor2d(Float32Array.from(covariance), [width, width]);
}

/**
 * *Traced.* Means over the variance that is predicted for each row. A class c is seen as N(e_c; m, s² I) with one s² for all columns, so that
 * its log-density is `m_c / s²` and what all classes share.
 */
function evened(means: tf.Tensor, vectors: tf.Tensor, covariance: tf.Tensor | undefined, noise: number): tf.Tensor {
  if (covariance === undefined) return means;
  const spread = tf.sum(tf.mul(tf.matMul(vectors as tf.Tensor2D, covariance as tf.Tensor2D), vectors), 1, true);
  return tf.div(means, tf.add(spread, noise ** 2));
}

/** A belief with vague columns for classes that came later. */
function widened(belief: Belief, columns: number): Belief {
  if (belief.columns === columns) return belief;
  const mean = new Float64Array(belief.width * columns);
  for (let i = 0; i < belief.width; i++)
    mean.set(belief.mean.subarray(i * belief.columns, (i + 1) * belief.columns), i * columns);
  return { ...belief, columns, mean };
}

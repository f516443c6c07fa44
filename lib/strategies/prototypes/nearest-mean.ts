import { type Examples, gather, sizeOf } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import { type Context, requireOneOf, strategy } from "../strategy.ts";

interface Means {
  /** Sums of the vectors of each column, row after row, and how many there were. */
  sums: Float64Array;
  counts: Float64Array;
  tensors: { readonly means: tf.Tensor; readonly seen: tf.Tensor } | undefined;
}

/**
 * Nearest class mean: an example gets the class whose mean vector is nearest.
 *
 * The logit of class c is `−‖v − mean_c‖²`; classes without examples do not compete. With `of: "inputs"` the vectors are the inputs: a
 * closed form, exact in one pass, in any order, and nothing is trained. With `of: "features"` they are the model's features: the
 * model is trained as always, and the means of an experience's classes are taken when it ends (means of earlier classes are not
 * renewed as the features drift).
 *
 * Mensink et al. 2013, "Distance-based image classification"; in continual learning Rebuffi et al. 2017, eq. 2.
 * Differs from the paper: no learned metric, and features are not normalised to length 1.
 *
 * Implements: P016 NMC frozen-backbone baseline
 *
 * @example
 * ```ts
 * import { nearestMean } from "thalweg";
 * nearestMean({ of: "inputs" });
 * ```
 */
export const nearestMean = strategy(
  "nearestMean",
  {
    /** What the means are taken of. */
    of: "inputs" as "inputs" | "features",
  },
  ({ of }) => {
    requireOneOf("nearestMean", "of", of, ["inputs", "features"]);
    const learn = (state: Means, train: Examples, context: Context): Means => {
      const vectors = of === "features" ? context.outputs(train).features : null;
      return withExamples(state, train, vectors, context.columns);
    };
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      init: (): Means => ({ sums: new Float64Array(0), counts: new Float64Array(0), tensors: undefined }),
      ...(of === "inputs"
        ? { learn: (state: Means, { train }, context) => learn(state, train, context) }
        : { afterExperience: (state: Means, { train }, context) => learn(state, train, context) }),
      rowwise: true,
      predict({ tensors }, { x, features, logits }) {
        if (tensors === undefined) return logits;
        const vectors = of === "inputs" ? tf.reshape(x, [x.shape[0]!, -1]) : features;
        const cross = tf.matMul(vectors as tf.Tensor2D, tensors.means as tf.Tensor2D, false, true);
        const near = tf.sub(tf.mul(cross, 2), tf.sum(tf.square(tensors.means), 1));
        const distance = tf.sub(near, tf.sum(tf.square(vectors), 1, true));
        return tf.where(tf.greater(tensors.seen, 0), distance, tf.fill(distance.shape, excluded));
      },
    };
  },
);

function withExamples(state: Means, train: Examples, features: Float32Array | null, columns: number): Means {
  const width = features === null ? sizeOf(train.shape) : features.length / Math.max(1, train.length);
  const sums = new Float64Array(columns * width);
  const counts = new Float64Array(columns);
  sums.set(state.sums);
  counts.set(state.counts);
  const one = new Uint32Array(1);
  const row = new Float32Array(width);
  for (let i = 0; i < train.length; i++) {
    one[0] = i;
    const vector = features === null ? gather(train, one, row) : features.subarray(i * width, (i + 1) * width);
    const label = train.labels[i]!;
    counts[label] = counts[label]! + 1;
    for (let j = 0; j < width; j++) sums[label * width + j] = sums[label * width + j]! + vector[j]!;
  }
  state.tensors?.means.dispose();
  state.tensors?.seen.dispose();
  const means = Float32Array.from(sums, (sum, i) => sum / Math.max(1, counts[Math.floor(i / width)]!));
  return {
    sums,
    counts,
    tensors: { means: tf.tensor2d(means, [columns, width]), seen: tf.tensor1d(Float32Array.from(counts)) },
  };
}

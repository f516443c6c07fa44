/** The diagonal of the Fisher information of a network, per example. */
import { type Examples, gather } from "../../data/dataset.ts";
import { disposeTree, jit, mapTensors, scoped, tf, valueAndGrad } from "../../engine/index.ts";
import { tape } from "../../models/model.ts";
import { masked, type Weights } from "../../models/network.ts";
import type { Context } from "../strategy.ts";

/**
 * At which labels the squared gradients of the log-likelihood are taken.
 *
 * `all`: every label, weighted by the network's own probability: the Fisher information itself. `sampled`: one label per example drawn
 * from those probabilities. `true`: the example's own label (the empirical Fisher). `batch`: the squared gradient of the mean loss of a
 * whole batch, which shrinks as batches grow.
 */
export type FisherLabels = "all" | "sampled" | "true" | "batch";

/** What the Fisher information is measured on. */
export interface FisherOptions {
  readonly labels: FisherLabels;
  /** How many examples, drawn without replacement; at most all. */
  readonly samples: number;
  /** The task of the examples, for the mask of their columns. */
  readonly task: number;
}

/** The mean over examples of the squared gradients, in the tree of the weights. The caller owns the tensors. */
export function fisher(examples: Examples, { labels, samples, task }: FisherOptions, context: Context): Weights {
  const { network, statistics, columns, weights } = context;
  const rng = context.rng.at("fisher", context.experience);
  const logProbabilities = (w: Weights, x: tf.Tensor, mask: tf.Tensor | null): tf.Tensor =>
    tf.logSoftmax(masked(network.logits(w, network.features(w, x, tape(false, null, statistics).mode)), mask));
  const squaredGradient = (w: Weights, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null): Weights => {
    const meanLoss = (at: Weights): tf.Tensor =>
      tf.neg(tf.mean(tf.sum(tf.mul(tf.cast(tf.oneHot(y, columns), "float32"), logProbabilities(at, x, mask)), -1)));
    return mapTensors((g) => tf.square(g), valueAndGrad(meanLoss, w).grads);
  };
  const addOne = jit(
    (total: Weights, w: Weights, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null): Weights => {
      if (labels !== "all") return mapTensors((a, b) => tf.add(a, b), total, squaredGradient(w, x, y, mask));
      const probabilities = tf.exp(logProbabilities(w, x, mask));
      let sum = total;
      for (let label = 0; label < columns; label++) {
        const probability = tf.reshape(tf.slice(probabilities, [0, label], [1, 1]), []);
        const squares = squaredGradient(w, x, tf.tensor1d([label], "int32"), mask);
        sum = mapTensors((a, b) => tf.add(a, tf.mul(b, probability)), sum, squares);
      }
      return sum;
    },
    { name: "fisher", donate: [0] },
  );
  const drawLabel = (x: tf.Tensor, mask: tf.Tensor | null): number => {
    const probabilities = tf.tidy(() => tf.exp(logProbabilities(weights, x, mask)).dataSync());
    let left = rng.uniform();
    for (let label = 0; label < columns; label++) if ((left -= probabilities[label]!) < 0) return label;
    return probabilities.indexOf(Math.max(...probabilities));
  };

  const chosen = rng.sample(examples.length, Math.min(samples, examples.length));
  const row = context.mask(Int32Array.of(task));
  const mask = row === null ? null : tf.tensor(row.data, row.shape as number[], "float32");
  const group = labels === "batch" ? context.batch : 1;
  let total = scoped(() => mapTensors((w) => tf.zerosLike(w), weights));
  let groups = 0;
  for (; groups * group < chosen.length; groups++) {
    const at = chosen.subarray(groups * group, (groups + 1) * group);
    const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
    const y = tf.tensor1d(
      labels === "sampled" ? [drawLabel(x, mask)] : Int32Array.from(at, (i) => examples.labels[i]!),
      "int32",
    );
    total = addOne(total, weights, x, y, mask);
    disposeTree([x, y]);
  }
  const mean = scoped(() => mapTensors((sum) => tf.div(sum, Math.max(1, groups)), total));
  disposeTree(total);
  mask?.dispose();
  return mean;
}

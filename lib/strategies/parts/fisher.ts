/** The diagonal of the Fisher information of a network, and other sums of the gradients of single examples. */
import { type Examples, gather, gatherTargets } from "../../data/dataset.ts";
import { disposeTree, jit, mapTensors, scoped, tf, valueAndGrad } from "../../engine/index.ts";
import { crossEntropies, masked, type Weights } from "../../models/network.ts";
import type { Context } from "../strategy.ts";
import { evaluated, fullyConnected, type OfLogits, powersOfOne, sumOfPowers } from "./per-example.ts";

/**
 * At which labels the squared gradients of the log-likelihood are taken.
 *
 * Of a sequence with a class at each place, "true", "sampled" and "batch" take the labels of all its places together.
 *
 * `all`: every label, weighted by the network's own probability: the Fisher information itself. `sampled`: one label per example drawn
 * from those probabilities. `true`: the example's own label (the empirical Fisher). `likely`: the example's own label, weighted by the
 * probability that the network gives it, so that examples it is wrong about count little. `batch`: the squared gradient of the mean loss of
 * a whole batch, which shrinks as batches grow.
 */
export type FisherLabels = (typeof fisherLabels)[number];
export const fisherLabels = ["all", "sampled", "true", "likely", "batch"] as const;

/** What the importance of weights is measured on. */
export interface Measured {
  /** How many examples, drawn without replacement; at most all. */
  readonly samples: number;
  /** The task of the examples, for the mask of their columns. */
  readonly task: number;
  /** Whether every example gets a backward pass of its own. Default: only where the network is not fully connected. */
  readonly oneByOne?: boolean;
}

/** Rows per backward pass of a fully connected network. */
const together = 256;

/** Loops over the chosen examples in groups, adding up what `add` gives. The caller owns the mean over the groups' `count`. */
function summed(
  examples: Examples,
  group: number,
  { samples, task }: Measured,
  context: Context,
  add: (total: Weights, x: tf.Tensor, at: Uint32Array, mask: tf.Tensor | null) => Weights,
): { readonly total: Weights; readonly groups: number; readonly rows: number } {
  const rng = context.rng.at("fisher", context.experience);
  const chosen = rng.sample(examples.length, Math.min(samples, examples.length));
  const row = context.mask(Int32Array.of(task));
  const mask = row === null ? null : tf.tensor(row.data, row.shape as number[], "float32");
  let total = scoped(() => mapTensors((w) => tf.zerosLike(w), context.weights));
  let groups = 0;
  for (; groups * group < chosen.length; groups++) {
    const at = chosen.subarray(groups * group, (groups + 1) * group);
    const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
    total = add(total, x, at, mask);
    x.dispose();
  }
  mask?.dispose();
  return { total, groups, rows: chosen.length };
}

function divided(total: Weights, by: number): Weights {
  const mean = scoped(() => mapTensors((sum) => tf.div(sum, Math.max(1, by)), total));
  disposeTree(total);
  return mean;
}

/**
 * The mean over examples of `|∂f/∂w|^power` for a function of their logits. `f` also gets the mask of the examples' columns. The caller
 * owns the tensors.
 */
export function importanceOf(
  examples: Examples,
  power: 1 | 2,
  f: (logits: tf.Tensor, mask: tf.Tensor | null) => tf.Tensor,
  measured: Measured,
  context: Context,
): Weights {
  const { network, weights, statistics } = context;
  const fast = !(measured.oneByOne ?? !fullyConnected(network, weights, statistics));
  const addGroup = jit(
    (total: Weights, w: Weights, x: tf.Tensor, mask: tf.Tensor | null): Weights => {
      const powers = (fast ? sumOfPowers : powersOfOne)(network, w, statistics, x, power, (logits) => f(logits, mask));
      return mapTensors((a, b) => tf.add(a, b!), total, powers);
    },
    { name: "importance", donate: [0] },
  );
  const { total, rows } = summed(examples, fast ? together : 1, measured, context, (sum, x, _at, mask) =>
    addGroup(sum, weights, x, mask),
  );
  return divided(total, rows);
}

/** The mean over examples of the squared gradients of the log-likelihood, in the tree of the weights. The caller owns the tensors. */
export function fisher(
  examples: Examples,
  { labels, ...measured }: Measured & { readonly labels: FisherLabels },
  context: Context,
): Weights {
  const { network, statistics, columns, weights } = context;
  if (labels === "batch") return ofBatches(examples, measured, context);
  const tokens = examples.targets !== undefined && context.stream.target === "tokens";
  const fast = !(measured.oneByOne ?? !fullyConnected(network, weights, statistics));
  const addGroup = jit(
    (total: Weights, w: Weights, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null): Weights => {
      const loss: OfLogits = (logits) => surprise(logits, y, mask);
      // The square of a gradient that is weighted by √p is the squared gradient weighted by p.
      const root =
        labels === "all" || labels === "likely" ? tf.exp(tf.div(loss(evaluated(network, w, statistics, x)), -2)) : null;
      const f: OfLogits = (logits) => (root === null ? loss(logits) : tf.mul(root, loss(logits)));
      const squares = (fast ? sumOfPowers : powersOfOne)(network, w, statistics, x, 2, f);
      return mapTensors((a, b) => tf.add(a, b!), total, squares);
    },
    { name: "fisher", donate: [0] },
  );
  const rng = context.rng.at("fisher labels", context.experience);
  const drawn = (x: tf.Tensor, mask: tf.Tensor | null): Int32Array => {
    const rows = tf.tidy(() => tf.softmax(masked(evaluated(network, weights, statistics, x), mask)).dataSync());
    return Int32Array.from({ length: rows.length / columns }, (_, n) =>
      drawFrom(rows.slice(n * columns, (n + 1) * columns), rng.uniform()),
    );
  };
  const { total, rows } = summed(examples, fast ? together : 1, measured, context, (sum, x, at, mask) => {
    const n = at.length;
    const taken = (y: Int32Array, from: Weights): Weights => {
      const labelled = tokens ? tf.tensor2d(y, [n, y.length / n], "int32") : tf.tensor1d(y, "int32");
      const next = addGroup(from, weights, x, labelled, mask);
      labelled.dispose();
      return next;
    };
    if (labels === "true" || labels === "likely") return taken(wantedOf(examples, at, tokens), sum);
    if (labels === "sampled") {
      const wanted = wantedOf(examples, at, tokens);
      return taken(
        drawn(x, mask).map((label, i) => (wanted[i]! < 0 ? -1 : label)), // no place that nothing is asked at
        sum,
      );
    }
    let next = sum;
    for (let label = 0; label < columns; label++) next = taken(new Int32Array(n).fill(label), next);
    return next;
  });
  return divided(total, rows);
}

/** The label of each example, or those at each of its places. */
function wantedOf(examples: Examples, at: Uint32Array, tokens: boolean): Int32Array {
  return tokens ? Int32Array.from(gatherTargets(examples, at)) : Int32Array.from(at, (i) => examples.labels[i]!);
}

/** *Traced.* `−log p` of the label of each row, or of all labels of a sequence together; −1 is none. */
function surprise(logits: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null): tf.Tensor {
  if (y.rank === 1) return crossEntropies(masked(logits, mask), y);
  const columns = logits.shape.at(-1)!;
  const open = masked(logits, mask === null ? null : tf.expandDims(mask, 1));
  const each = crossEntropies(tf.reshape(open, [y.size, columns]), tf.reshape(tf.maximum(y, 0), [y.size]));
  return tf.sum(tf.mul(tf.reshape(each, y.shape), tf.cast(tf.greaterEqual(y, 0), "float32")), -1);
}

function drawFrom(probabilities: ArrayLike<number>, uniform: number): number {
  let left = uniform;
  let likeliest = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i]! > probabilities[likeliest]!) likeliest = i;
    if ((left -= probabilities[i]!) < 0) return i;
  }
  return likeliest;
}

/** The mean over batches of the squared gradient of the batch's mean loss. */
function ofBatches(examples: Examples, measured: Measured, context: Context): Weights {
  const { network, statistics, weights } = context;
  const tokens = examples.targets !== undefined && context.stream.target === "tokens";
  const addBatch = jit(
    (total: Weights, w: Weights, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null): Weights => {
      const { grads } = valueAndGrad(
        (at: Weights) => tf.mean(surprise(evaluated(network, at, statistics, x), y, mask)),
        w,
      );
      return mapTensors((a, b) => tf.add(a, tf.square(b!)), total, grads);
    },
    { name: "fisher", donate: [0] },
  );
  const { total, groups } = summed(examples, context.batch, measured, context, (sum, x, at, mask) => {
    const wanted = wantedOf(examples, at, tokens);
    const y = tokens
      ? tf.tensor2d(wanted, [at.length, wanted.length / at.length], "int32")
      : tf.tensor1d(wanted, "int32");
    const next = addBatch(sum, weights, x, y, mask);
    y.dispose();
    return next;
  });
  return divided(total, groups);
}

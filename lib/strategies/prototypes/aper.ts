import { cloneTree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type CosinePrototypes, cosineScores, withRows } from "../parts/cosine-prototypes.ts";
import { strategy } from "../strategy.ts";

interface Memory {
  readonly prototypes: Pick<CosinePrototypes, "sums" | "counts"> | null;
  readonly tensors: { readonly start: Weights; readonly means?: tf.Tensor; readonly seen?: tf.Tensor };
}

/**
 * APER: the network is adapted on the first experience alone; then a class is told by the mean of its features before and after, side by side.
 *
 * What is adapted is what the model trains: `from(big).adapt(bottleneck())`, `lora()`, `ssf()`, `prompt()`, or all of it. An example gets the
 * class whose mean has the largest cosine with its own features. Exact in one pass after the first experience, in any order.
 *
 * Zhou et al. 2023, "Revisiting class-incremental learning with pre-trained models", arXiv:2303.07338, section 4 (there ADAM, later APER).
 * Differs from the paper: the adapters are this library's; running statistics are those after the first experience for both.
 *
 * @example
 * ```ts
 * import { aper, bottleneck, from, pretrained } from "thalweg";
 * const model = from(pretrained("vit-small")).adapt(bottleneck({ units: 16 }));
 * aper().spec.name; // "aper"
 * ```
 */
export const aper = strategy(
  "aper",
  {},
  () => ({
    classes: true,
    tokens: "it knows one vector for each example, and a sequence has one at each place",
    init: (context): Memory => ({ prototypes: null, tensors: { start: cloneTree(context.weights) } }),
    data: (_state, { train, index }) => (index === 0 ? train : { ...train, length: 0, labels: new Int32Array(0) }),
    afterExperience({ prototypes, tensors }: Memory, { index }, context): Memory {
      const { train } = context.stream.experience(index);
      const { start } = tensors;
      const before = context.outputs(train, start).features;
      const rows = beside(before, context.outputs(train).features, train.labels.length);
      const { sums, counts, tensors: made } = withRows(prototypes, rows, train.labels, context.columns);
      return { prototypes: { sums, counts }, tensors: { start, ...made } };
    },
    rowwise: true,
    predict({ tensors }, { x, features, logits, forward }) {
      if (tensors?.means === undefined) return logits;
      const { start, means, seen } = tensors;
      const before = forward(x, { weights: start }).features;
      return cosineScores(tf.concat([before, features], 1), { means, seen: seen! }, logits.shape[1]!);
    },
  }),
  ["boundary", "labels"],
);

/** Rows of two tables side by side. */
function beside(a: Float32Array, b: Float32Array, rows: number): Float32Array {
  const [left, right] = [a.length / Math.max(1, rows), b.length / Math.max(1, rows)];
  const all = new Float32Array(a.length + b.length);
  for (let i = 0; i < rows; i++) {
    all.set(a.subarray(i * left, (i + 1) * left), i * (left + right));
    all.set(b.subarray(i * right, (i + 1) * right), i * (left + right) + left);
  }
  return all;
}

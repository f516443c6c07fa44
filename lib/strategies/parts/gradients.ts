/** Gradients of the task's loss over a whole table, between steps. */
import { type Examples, gather } from "../../data/dataset.ts";
import { disposeTree, jit, mapTensors, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import { crossEntropies, masked, type Weights } from "../../models/network.ts";
import type { Context } from "../strategy.ts";

/** The gradient of the mean cross-entropy of some examples, drawn from a table, among open columns; in evaluation mode. New tensors. */
export function meanGradient(
  examples: Examples,
  samples: number,
  open: tf.Tensor | null,
  { network, weights, statistics, rng, experience }: Context,
): Weights {
  const at = rng.at("gradient", experience).sample(examples.length, Math.min(samples, examples.length));
  const read = jit(
    (all: Weights, running: Params, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null) =>
      valueAndGrad((own: Weights) => {
        const features = network.features(own, x, tape(false, null, running).mode);
        return tf.sum(crossEntropies(masked(network.logits(own, features), mask), y));
      }, all).grads,
    { name: "meanGradient" },
  );
  let total = scoped(() => mapTensors((w: tf.Tensor) => tf.zerosLike(w), weights));
  for (let start = 0; start < at.length; start += 64) {
    const rows = at.slice(start, start + 64);
    const x = tf.tensor(gather(examples, rows), [rows.length, ...examples.shape]);
    const y = tf.tensor1d(
      Int32Array.from(rows, (i) => examples.labels[i]!),
      "int32",
    );
    const found = read(weights, statistics, x, y, open);
    const next = scoped(() =>
      mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.add(a, tf.div(b!, at.length)), total, found),
    );
    disposeTree([x, y, total, found] as Tree);
    total = next;
  }
  return total;
}

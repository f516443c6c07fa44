/** The loss of a trained network on some examples, as a function of its weights. */
import { type Examples, gather } from "../../data/dataset.ts";
import { nn, tf } from "../../engine/index.ts";
import { tape } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";

/**
 * The mean cross-entropy of a network on some examples, in evaluation mode, as a function of its weights: what `topEigenvalues`, `hessianTrace`,
 * `sharpness` and `gradientNoise` look at.
 *
 * @throws TypeError for a network that does not tell classes apart.
 *
 * @example
 * ```ts
 * import { blobs, classes, mlp, networkLoss, topEigenvalues } from "thalweg";
 * const stream = classes(blobs());
 * const run = await stream.learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * const network = await run.network();
 * topEigenvalues(networkLoss(network, stream.experience(0).train), network.weights).length; // 1
 * ```
 */
export function networkLoss(network: TrainedNetwork, examples: Examples): (weights: Weights) => tf.Tensor {
  if (examples.targets !== undefined)
    throw new TypeError("networkLoss: examples of classes are required, got examples with targets");
  const { structure, statistics } = network;
  const rows = Uint32Array.from(examples.labels.keys());
  const numbers = gather(examples, rows);
  return (weights) => {
    const x = tf.tensor(numbers, [rows.length, ...examples.shape]);
    const y = tf.tensor(Int32Array.from(examples.labels), [rows.length], "int32");
    const logits = structure.logits(weights, structure.features(weights, x, tape(false, null, statistics).mode));
    return tf.mean(nn.crossEntropies(logits, y));
  };
}

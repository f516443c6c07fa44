import { tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { exitsOf } from "../parts/exits.ts";
import { type Prediction, requireNumber, requireOneOf, type Step, strategy } from "../strategy.ts";

/**
 * A transformer that answers after any of its blocks, each with a classifier of its own, and stops where it is sure enough.
 *
 * The loss is the mean of the exits' losses, exit n (from 1) weighing 1 ("uniform") or n ("depth"). A prediction is that of the first exit whose
 * largest probability is at least `threshold`, at each place of a sequence by itself; where none is, of the last. Above 1 it never stops early.
 *
 * Implements: P131 Depth-Adaptive Transformer
 * Elbayad et al. 2020, "Depth-adaptive transformer", arXiv:1910.10073, section 3.1 (aligned training) and section 4.2 (confidence thresholding);
 * classifiers come after the network's own last normalisation.
 * Differs from the paper: the depth is not learned by a predictor of its own; all blocks are computed, so that a depth is what would have been spent.
 *
 * @throws TypeError for a model with fewer than two blocks of attention in a row, and for a stream whose head grows.
 *
 * @example
 * ```ts
 * import { classes, depthAdaptive, digits, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 3, heads: 2 })).by(depthAdaptive({ threshold: 0.9 }));
 * ```
 */
export const depthAdaptive = strategy(
  "depthAdaptive",
  {
    /** The probability at which it stops. */
    threshold: 0.9,
    /** How exits weigh in the loss. */
    weights: "uniform" as "uniform" | "depth",
  },
  ({ threshold, weights }) => {
    requireNumber("depthAdaptive", "threshold", threshold, 0);
    requireOneOf("depthAdaptive", "weights", weights, ["uniform", "depth"]);
    return {
      tokens: true,
      attention: true,
      classes: true,
      rowwise: true,
      parameters({ network, stream, columns, rng }): Params {
        if (stream.head === "growing")
          throw new TypeError("depthAdaptive: a stream whose classes are known is required, got one whose head grows");
        const features = network.width.slice(-1);
        return Object.fromEntries(
          Array.from({ length: exitsOf("depthAdaptive", network).count - 1 }, (_, exit) => [
            `${exit}`,
            network.head.init(rng.at(exit), features, columns),
          ]),
        );
      },
      taskLoss(_: object, step) {
        const { y, targets, mask, weight } = step;
        const each = exitLogits(step);
        const shares = each.map((_, n) => (weights === "uniform" ? 1 : n + 1));
        const total = shares.reduce((a, b) => a + b, 0);
        return tf.addN(
          each.map((logits, n) => tf.mul(step.targetLoss({ logits, y, targets, mask, weight }), shares[n]! / total)),
        ) as tf.Scalar;
      },
      predict: (_: object, given) => stoppedAt(exitLogits(given), threshold).logits,
    };
  },
);

/** The logits of each exit, the network's own last. */
function exitLogits(of: Step | Prediction): tf.Tensor[] {
  const { network, weights } = of;
  const exits = exitsOf("depthAdaptive", network);
  const heads = (weights as Weights).added!.depthAdaptive as { readonly [exit: string]: Params };
  return exits.pass(of).map((given, n) => {
    const features = exits.features(of, given);
    return n === exits.count - 1
      ? network.logits(weights, features)
      : network.head.apply(heads[n]!, features, weights.model);
  });
}

/**
 * Of the logits `[…, columns]` of exits those of the first that is sure enough, and which exit that is at each place, from 0: `[…]`.
 *
 * @example
 * ```ts
 * import { stoppedAt, tf } from "thalweg";
 * const { at } = stoppedAt([tf.tensor2d([[9, 0], [0, 0]]), tf.tensor2d([[0, 0], [0, 0]])], 0.9);
 * [...at.dataSync()]; // [0, 1]
 * ```
 */
export function stoppedAt(
  exits: readonly tf.Tensor[],
  threshold: number,
): { readonly logits: tf.Tensor; readonly at: tf.Tensor } {
  let logits = exits.at(-1)!;
  let at: tf.Tensor = tf.fill(logits.shape.slice(0, -1), exits.length - 1);
  for (let n = exits.length - 2; n >= 0; n--) {
    const sure = tf.cast(tf.greaterEqual(tf.max(tf.softmax(exits[n]!), -1), threshold), "float32");
    const wide = tf.expandDims(sure, -1);
    logits = tf.add(tf.mul(wide, exits[n]!), tf.mul(tf.sub(1, wide), logits));
    at = tf.add(tf.mul(sure, n), tf.mul(tf.sub(1, sure), at));
  }
  return { logits, at };
}

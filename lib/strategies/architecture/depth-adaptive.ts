import { type Rng, tf, withoutGradient } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../../models/initial.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { exitsOf } from "../parts/exits.ts";
import { chosen, type Halting, type HaltingParams, haltingOf, haltsAt, oracle } from "../parts/halting.ts";
import { type Prediction, requireNumber, requireOneOf, type Step, strategy } from "../strategy.ts";

/**
 * A transformer that answers after any of its blocks, each with a classifier of its own, and stops where it is sure enough or where it has learned to.
 *
 * The loss is the mean of the exits' losses, exit n (from 1) weighing 1 ("uniform") or n ("depth"). With `halting: "confidence"` a prediction is that of the first exit whose
 * largest probability is at least `threshold`, at each place of a sequence by itself; where none is, of the last. Above 1 it never stops early.
 *
 * Learned halting is trained, with the weight `share`, to give the exit whose log-likelihood less `price` for each block is largest; along sequences these are first smoothed by
 * `exp(−|t − t′| / near)` where `near` is above 0. "multinomial" chooses the exit from what the first block gives; "geometric" asks after each block whether to stop, and does where the answer is
 * at least one half. What it is asked of has no gradient from it.
 *
 * Implements: P131 Depth-Adaptive Transformer
 * Elbayad et al. 2020, "Depth-adaptive transformer", arXiv:1910.10073, section 3.1 (aligned training) and section 4.2 (multinomial and geometric-like halting of each token by an oracle of likelihood,
 * confidence thresholding); classifiers come after the network's own last normalisation.
 * Differs from the paper: there is no encoder whose mean could choose one depth for a whole sequence; all blocks are computed, so that a depth is what would have been spent.
 *
 * @throws TypeError for a model with fewer than two blocks of attention in a row, and for a stream whose head grows.
 *
 * @example
 * ```ts
 * import { classes, depthAdaptive, digits, vit } from "thalweg";
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 3, heads: 2 })).by(depthAdaptive({ threshold: 0.9 }));
 * classes(digits()).split(1).learn(vit({ patch: 4, width: 8, depth: 3, heads: 2 })).by(depthAdaptive({ halting: "geometric", price: 0.1 }));
 * ```
 */
export const depthAdaptive = strategy(
  "depthAdaptive",
  {
    /** The probability at which it stops. */
    threshold: 0.9,
    /** How exits weigh in the loss. */
    weights: "uniform" as "uniform" | "depth",
    /** What decides where it stops: how sure an exit is, or what is learned. */
    halting: "confidence" as "confidence" | Halting,
    /** What a block costs the oracle of learned halting, in log-likelihood. */
    price: 0.05,
    /** Over how many places the oracle is smoothed. */
    near: 0,
    /** The weight of learned halting in the loss. */
    share: 0.1,
  },
  ({ threshold, weights, halting, price, near, share }) => {
    requireNumber("depthAdaptive", "threshold", threshold, 0);
    requireOneOf("depthAdaptive", "weights", weights, ["uniform", "depth"]);
    requireOneOf("depthAdaptive", "halting", halting, ["confidence", "multinomial", "geometric"]);
    for (const [name, value] of Object.entries({ price, near, share })) requireNumber("depthAdaptive", name, value, 0);
    return {
      tokens: true,
      attention: true,
      classes: true,
      rowwise: true,
      parameters({ network, stream, columns, rng }): Params {
        if (stream.head === "growing")
          throw new TypeError("depthAdaptive: a stream whose classes are known is required, got one whose head grows");
        const features = network.width.slice(-1);
        const last = exitsOf("depthAdaptive", network).count - 1;
        const asks = (units: number, at: Rng): Params => ({
          kernel: drawWeights("torch", at.at("kernel"), [features[0]!, units], features[0]!, units),
          bias: drawBias("torch", at.at("bias"), units, features[0]!),
        });
        const exits = Array.from({ length: last }, (_, exit) => [
          `${exit}`,
          network.head.init(rng.at(exit), features, columns),
        ]);
        if (halting === "confidence") return Object.fromEntries(exits);
        const halts = Array.from({ length: halting === "geometric" ? last : 1 }, (_, exit) => [
          `halt${exit}`,
          asks(halting === "geometric" ? 1 : last + 1, rng.at("halt", exit)),
        ]);
        return Object.fromEntries([...exits, ...halts]);
      },
      taskLoss(_: object, step) {
        const { y, targets, mask, weight } = step;
        const { logits: each, features } = exitsAt(step);
        const shares = each.map((_, n) => (weights === "uniform" ? 1 : n + 1));
        const total = shares.reduce((a, b) => a + b, 0);
        const aligned = tf.addN(
          each.map((logits, n) => tf.mul(step.targetLoss({ logits, y, targets, mask, weight }), shares[n]! / total)),
        ) as tf.Scalar;
        if (halting === "confidence" || share === 0) return aligned;
        const asked = targets === null ? tf.onesLike(y) : tf.cast(tf.greaterEqual(targets, 0), "float32");
        const best = withoutGradient(() => oracle(each, targets ?? y, asked, mask, price, near));
        const said = haltingOf(
          halting,
          withoutGradient(() => features.map((one) => tf.clone(one))),
          addedBy(step),
        );
        const missed = tf.neg(tf.sum(tf.mul(said, tf.oneHot(best, each.length, 1, 0, "float32")), -1));
        const counts =
          weight === null ? asked : tf.mul(asked, tf.reshape(weight, [-1, ...asked.shape.slice(1).map(() => 1)]));
        const loss = tf.div(tf.sum(tf.mul(missed, counts)), tf.maximum(tf.sum(counts), 1e-12));
        return tf.add(aligned, tf.mul(loss, share)) as tf.Scalar;
      },
      predict(_: object, given) {
        const { logits, features } = exitsAt(given);
        if (halting === "confidence") return stoppedAt(logits, threshold).logits;
        return chosen(logits, haltsAt(halting, features, addedBy(given)));
      },
    };
  },
);

const addedBy = (of: Step | Prediction): HaltingParams => (of.weights as Weights).added!.depthAdaptive as HaltingParams;

/** The logits of each exit, the network's own last, and the features they are of. */
function exitsAt(of: Step | Prediction): { readonly logits: tf.Tensor[]; readonly features: tf.Tensor[] } {
  const { network, weights } = of;
  const exits = exitsOf("depthAdaptive", network);
  const heads = addedBy(of);
  const features = exits.pass(of).map((given) => exits.features(of, given));
  const logits = features.map((given, n) =>
    n === exits.count - 1 ? network.logits(weights, given) : network.head.apply(heads[n]!, given, weights.model),
  );
  return { logits, features };
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

import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { factorsIn, rankLengths } from "../../models/parts/factors.ts";
import { withExtra } from "../parts/buffer.ts";
import { softCrossEntropies } from "../parts/distillation.ts";
import { withKernels } from "../parts/kernels.ts";
import { still } from "../parts/still.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  /** The rank of each product of two factors. */
  readonly ranks: readonly number[];
}

/**
 * Maestro: products of two factors learn with some of their ranks at a time, the first ones most often, so that the ranks put themselves into the order of what they are worth
 * and the last ones can be cut.
 *
 * In each step one of all pairs of a product and a number b is drawn, and the network runs with the first b ranks of that product alone; the others keep all. To the loss comes `lambda` times
 * the lengths of every column of a first factor and row of a second one, each with all after it. Ranks whose importance, the product of their two lengths, is below `threshold`
 * no longer count, in training and afterwards: `prune.ranks` cuts them. With `full` the whole network learns the labels and what has fewer ranks learns what the whole one says.
 *
 * It needs a network with such products: `from(prune.lowRank(network, { times: 0.5 }).network)`, or a model with `structured(units, { kind: "lowRank", rank })`.
 *
 * Implements: P316 Maestro
 *
 * Horváth et al. 2023, "Maestro: uncovering low-rank structures via trainable decomposition", arXiv:2308.14929, with the sampler of one layer at a time and the hierarchical
 * group lasso of its program. Differs from the program: ranks are counted anew in every step, not after each epoch; pairs are drawn with equal chances from all there are, rather
 * than in rounds over those that still count; `full` is off and the threshold 1e-3 where nothing is said (there on, and 1e-5); batch normalisation is not calibrated again.
 *
 * @throws TypeError for a model without products of two factors.
 *
 * @example
 * ```ts
 * import { classes, digits, maestro, net } from "thalweg";
 * const model = net().flatten().structured(32, { kind: "lowRank", rank: 16 }).relu();
 * classes(digits()).split(1).learn(model).by(maestro({ lambda: 1e-3 }));
 * ```
 */
export const maestro = strategy(
  "maestro",
  {
    /** Strength of the group lasso. */
    lambda: 5e-3,
    /** The importance below which a rank no longer counts. */
    threshold: 1e-3,
    /** Whether the whole network learns too, and teaches what has fewer ranks. */
    full: false,
  },
  ({ lambda, threshold, full }) => {
    requireNumber("maestro", "lambda", lambda, 0);
    requireNumber("maestro", "threshold", threshold, 0);
    return {
      tokens: true,
      rowwise: true,
      factors: true,
      init({ weights, network }): Memory {
        const ranks = factorsIn(weights.model).map(({ second }) => second.shape[0]);
        if (ranks.length === 0)
          throw new TypeError(
            `maestro: a model with products of two factors is required, got ${network.model.spec.name}; make them: prune.lowRank(network, { times: 0.5 })`,
          );
        return { ranks };
      },
      batch({ ranks }: Memory, batch, { rng, step }) {
        const total = ranks.reduce((a, b) => a + b, 0);
        let drawn = rng.at("ranks", step).int(total);
        const data = Float32Array.from(
          ranks.flatMap((rank) => {
            const own = Array.from({ length: rank }, (_, k) => (drawn < 0 || drawn >= rank || k <= drawn ? 1 : 0));
            drawn -= rank;
            return own;
          }),
        );
        return withExtra(batch, "maestro", { kept: { data, shape: [total] } });
      },
      forward(_: Memory, { plain, weights, extra, training }) {
        const factors = factorsIn(weights.model);
        // what counts is told by the whole products: of first ranks alone each would count for less
        const counting = factors.map(({ first, second }) => {
          const [a, b] = rankLengths({ first, second }, true);
          return still(tf.cast(tf.greaterEqual(tf.mul(a, b), threshold), "float32"));
        });
        if (!training || extra.kept === undefined) return plain(withRanks(weights, counting));
        const kept = tf.split(
          extra.kept,
          factors.map(({ second }) => second.shape[0]),
        );
        const drawn = kept.map((own, i) => tf.mul(own, counting[i]!));
        const { logits } = plain(withRanks(weights, drawn));
        return { ...plain(withRanks(weights, counting)), aside: { drawn: logits } };
      },
      taskLoss(_: Memory, step) {
        const { y, targets, mask, weight } = step;
        const logits = step.aside.drawn!;
        if (!full) return step.targetLoss({ logits, y, targets, mask, weight });
        const whole = step.targetLoss({ logits: step.logits, y, targets, mask, weight });
        if (step.target === "numbers") return tf.add(whole, step.targetLoss({ logits, y, targets, mask, weight }));
        return tf.add(whole, tf.mean(softCrossEntropies(logits, still(step.logits), 1))) as tf.Scalar;
      },
      loss(_: Memory, step) {
        const lengths = factorsIn(step.weights.model).flatMap((own) =>
          rankLengths(own, true).map((each) => tf.sum(each)),
        );
        return tf.mul(tf.addN(lengths), lambda) as tf.Scalar;
      },
    };
  },
);

/** *Traced.* Weights whose products have the ranks alone for which there is a 1. */
export function withRanks(weights: Weights, kept: readonly tf.Tensor[]): Weights {
  const own = factorsIn(weights.model).map(({ path, first }, i) => [
    `${path}/first/kernel`,
    tf.mul(first, tf.reshape(kept[i]!, [1, -1])),
  ]);
  return withKernels(weights, Object.fromEntries(own));
}

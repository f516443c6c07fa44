import { tf } from "../../engine/index.ts";
import { layers } from "../../models/index.ts";
import { type Params, tape } from "../../models/model.ts";
import { requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

/**
 * BatchFormer: in training the examples of a batch look at each other before they are classified, so that common classes teach rare ones.
 *
 * One block of a transformer attends over the rows of a batch. The loss is that of the features as they are and of what the block makes of them, with one head for both, half and
 * half; so the block is not needed afterwards, and predictions are those of the network alone.
 *
 * Hou, Yu and Tao 2022, "BatchFormer: learning to explore sample relationships for robust representation learning", arXiv:2203.01522, section 3.2 and the authors' program:
 * a block normalised behind, whose dense layers are as wide as the features.
 * Differs from the paper: nothing is dropped within the block, and the dense layers have Gaussian units.
 *
 * Implements: P344 BatchFormer
 *
 * @example
 * ```ts
 * import { batchFormer, classes, digits, mlp } from "thalweg";
 * classes(digits()).learn(mlp({ hidden: [64] })).by(batchFormer({ heads: 4 })).train({ batch: 32 });
 * ```
 */
export const batchFormer = strategy(
  "batchFormer",
  {
    /** Heads of attention, among which the features are shared. */
    heads: 1,
    /** How much the loss of what the block gives counts, in [0, 1]; the other has the rest. */
    share: 0.5,
  },
  ({ heads, share }) => {
    requireWhole("batchFormer", "heads", heads, 1);
    requireNumber("batchFormer", "share", share, 0, 1);
    const block = layers.transformer(heads, { causal: false, norm: "after", widen: 1 });
    return {
      tokens: "examples look at each other as one vector each, and a sequence has one at each place",
      parameters({ network, rng, batch }): Params {
        const width = network.width[0]!;
        if (network.width.length !== 1 || width % heads !== 0)
          throw new RangeError(
            `batchFormer: features that ${heads} heads divide are required, got [${network.width}]; take other heads`,
          );
        return block.init!(rng.at("block"), [batch, width]);
      },
      taskLoss(_state: object, step: Step) {
        const { network, weights, features } = step;
        const together = block.apply(
          tf.expandDims(features, 0),
          weights.added!.batchFormer as Params,
          tape(true, null, {}).mode,
        );
        const logits = network.logits(weights, tf.squeeze(together, [0]));
        const { y, targets, mask, weight } = step;
        const beside = step.targetLoss({ logits, y, targets, mask, weight });
        return tf.add(tf.mul(step.targetLoss(), 1 - share), tf.mul(beside, share)) as tf.Scalar;
      },
    };
  },
);

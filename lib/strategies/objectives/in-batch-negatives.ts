import { tf } from "../../engine/index.ts";
import { oneHots } from "../parts/contrast.ts";
import { strategy } from "../strategy.ts";

/**
 * Only the classes of a batch's own rows compete in it: the negatives of an example are the labels of the others.
 *
 * The loss is the mean cross-entropy over these columns. With very many classes a step costs what the batch costs; how good it is depends on what
 * is in the batch together, which `negativeMining` decides.
 *
 * The batch softmax of Yih et al. 2011 and Henderson et al. 2017, arXiv:1705.00652, section 4.
 * Differs from the paper: the columns of the head are the vectors of the labels.
 *
 * @example
 * ```ts
 * import { classes, digits, inBatchNegatives, mlp, negativeMining } from "thalweg";
 * classes(digits()).learn(mlp()).by(inBatchNegatives()).with(negativeMining()).name; // "inBatchNegatives"
 * ```
 */
export const inBatchNegatives = strategy("inBatchNegatives", {}, () => ({
  tokens: "its classes are those of examples, and a sequence has many",
  classes: true,
  taskLoss(_state, step) {
    const { logits, y, mask, weight } = step;
    const here = tf.max(oneHots(y, logits.shape[1]!), 0, true);
    return step.targetLoss({ logits, y, targets: null, mask: mask === null ? here : tf.mul(mask, here), weight });
  },
}));

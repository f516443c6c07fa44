import { tf } from "../../engine/index.ts";
import { requireNumber, strategy } from "../strategy.ts";

/**
 * Focal loss: an example counts by how far its own class is from certain, `−a_y (1 − p_y)^gamma log p_y`, so that the few hard ones are not outweighed by many easy ones.
 *
 * `p` is the softmax over the columns that compete. With `gamma: 0` it is the cross-entropy. `weights` are the `a` of the columns, by which rare classes count for
 * more; those that are not said count 1. It takes the place of the task's loss; evaluations say the usual cross-entropy.
 *
 * Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002, equations 4 and 5.
 * Differs from the paper: for any number of classes, by their softmax.
 *
 * @throws RangeError for a gamma below 0 or a weight that is not at least 0.
 *
 * @example
 * ```ts
 * import { classes, digits, focal, mlp } from "thalweg";
 * classes(digits()).learn(mlp({ hidden: [32] })).by(focal({ gamma: 2 }));
 * ```
 */
export const focal = strategy(
  "focal",
  {
    /** How much those that are nearly right are left aside. */
    gamma: 2,
    /** What the columns count, in their order; those that are not said count 1. */
    weights: [] as readonly number[],
  },
  ({ gamma, weights }) => {
    requireNumber("focal", "gamma", gamma, 0);
    for (const value of weights) requireNumber("focal", "a weight", value, 0);
    return {
      tokens: "its loss reads one class of each example, and a sequence has one at each place",
      classes: true,
      taskLoss(_state: object, { logits, y, mask, weight }) {
        const columns = logits.shape.at(-1)!;
        const open = mask === null ? logits : tf.add(logits, tf.mul(tf.sub(mask, 1), 1e9));
        // rows where nothing is asked for have a label below 0, of which no column is one
        const own = tf.oneHot(tf.cast(y, "int32") as tf.Tensor1D, columns, 1, 0, "float32");
        const asked = tf.cast(tf.greaterEqual(y, 0), "float32");
        const log = tf.sum(tf.mul(tf.logSoftmax(open), own), -1);
        const far = tf.maximum(tf.sub(1, tf.exp(log)), 1e-12);
        const said = Array.from({ length: columns }, (_, k) => weights[k] ?? 1);
        const by = weights.length === 0 ? asked : tf.sum(tf.mul(own, tf.tensor1d(said)), -1);
        const losses = tf.mul(tf.mul(by, tf.pow(far, gamma)), tf.neg(log));
        const counts = weight === null ? asked : tf.mul(asked, weight);
        return tf.div(tf.sum(tf.mul(losses, counts)), tf.maximum(tf.sum(counts), 1e-30)) as tf.Scalar;
      },
    };
  },
);

import { tf } from "../../engine/index.ts";
import { strategy } from "../strategy.ts";

/**
 * The perceptron's loss: `max(0, z_best − z_y)` with the best column other than the row's own, which pulls at rows that are wrong alone. With descent
 * over all rows it is the batch perceptron, which gradient descent on logistic regression becomes as its steps grow.
 *
 * At a tie half of the pull is there, so that a network of zeros begins to move. It takes the place of the task's loss; columns that do not
 * compete have no say.
 *
 * Implements: P322 LR+GD to perceptron
 *
 * Tyurin 2024, "From logistic regression to the perceptron algorithm: exploring gradient descent with large step sizes", arXiv:2412.08424, sections 3
 * and 4; Rosenblatt 1958. Differs from the paper: any number of classes, of which two give its margin.
 *
 * @example
 * ```ts
 * import { blobs, classes, net, perceptron, sgd } from "thalweg";
 * classes(blobs()).learn(net()).with(sgd({ lr: 1 })).by(perceptron());
 * ```
 */
export const perceptron = strategy("perceptron", {}, () => ({
  tokens: "its margin is that of one class for each example",
  classes: true,
  taskLoss(_state: object, { logits, y, mask, weight }) {
    const columns = logits.shape.at(-1)!;
    const own = tf.oneHot(tf.cast(y, "int32") as tf.Tensor1D, columns, 1, 0, "float32");
    const away = mask === null ? own : tf.maximum(own, tf.sub(1, mask));
    const best = tf.max(tf.sub(logits, tf.mul(away, 1e9)), -1);
    const behind = tf.sub(best, tf.sum(tf.mul(logits, own), -1));
    // 1 where it is behind, a half at a tie
    const pull = tf.div(tf.add(tf.sub(tf.step(behind), tf.step(tf.neg(behind))), 1), 2);
    const losses = tf.mul(behind, pull);
    const weights = weight ?? tf.onesLike(losses);
    return tf.div(tf.sum(tf.mul(losses, weights)), tf.maximum(tf.sum(weights), 1e-30)) as tf.Scalar;
  },
}));

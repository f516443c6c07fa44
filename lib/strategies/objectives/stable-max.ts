import { tf } from "../../engine/index.ts";
import { strategy } from "../strategy.ts";

/**
 * StableMax in place of softmax: the loss is `−log(s(z_y) / Σ s(z))` with `s(z) = z + 1` above 0 and `1 / (1 − z)` below, which grows as fast as the
 * logits where an exponential outruns single precision: examples that are right go on to teach.
 *
 * Columns that do not compete have no share. It takes the place of the task's loss; evaluations say the usual cross-entropy.
 *
 * Implements: P411 Grokking at Edge of Stability
 *
 * Prieto et al. 2025, "Grokking at the edge of numerical stability", arXiv:2501.04697, section 4, equation 5. Differs from the paper: all in single
 * precision, where its program takes the logarithm in double.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, stableMax } from "thalweg";
 * classes(digits()).learn(mlp({ hidden: [32] })).by(stableMax());
 * ```
 */
export const stableMax = strategy("stableMax", {}, () => ({
  tokens: "its loss reads one class of each example, and a sequence has one at each place",
  classes: true,
  taskLoss(_state: object, { logits, y, mask, weight }) {
    const grown = tf.add(tf.relu(logits), 1);
    const shrunk = tf.div(1, tf.add(tf.relu(tf.neg(logits)), 1));
    const shares = tf.mul(grown, shrunk);
    const open = mask === null ? shares : tf.mul(shares, mask);
    const columns = logits.shape.at(-1)!;
    // rows where nothing is asked for have a label below 0, of which no column is one
    const own = tf.sum(tf.mul(open, tf.oneHot(tf.cast(y, "int32") as tf.Tensor1D, columns, 1, 0, "float32")), -1);
    const asked = tf.cast(tf.greaterEqual(y, 0), "float32");
    const losses = tf.sub(tf.log(tf.sum(open, -1)), tf.log(tf.add(own, tf.sub(1, asked))));
    const each = tf.mul(losses, asked);
    const weights = weight === null ? asked : tf.mul(asked, weight);
    return tf.div(tf.sum(tf.mul(each, weights)), tf.maximum(tf.sum(weights), 1e-30)) as tf.Scalar;
  },
}));

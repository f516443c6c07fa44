import { tf } from "../engine/index.ts";
import { present, sameColumn } from "./parts/contrast.ts";
import { normalised } from "./parts/distillation.ts";
import { type OnlineMemory, replayed } from "./parts/online.ts";
import { currentRows, joinedRows } from "./parts/rows.ts";
import { requireNumber, requireWhole, strategy } from "./strategy.ts";

/**
 * Experience replay with asymmetric metric learning: new examples are drawn to those of their class and pushed from other classes of the
 * batch, never from old ones.
 *
 * For a new example i with others p of its class among batch and drawn examples: `−mean_p log s(p,i) / (s(p,i) + Σ_n s(n,i))`, with n the
 * examples of other classes that are in the batch's classes, `s = exp(f_p·f_i / temperature)` over features of length 1. Drawn examples
 * have the cross-entropy over all columns; before there are any, the batch has it.
 *
 * Caccia et al. 2022, arXiv:2104.05025, eq. 2 (ER-AML).
 * Differs from the paper: all positives and negatives of the batch are used, not one of each drawn at random.
 *
 * @example
 * ```ts
 * import { erAml } from "thalweg";
 * erAml({ capacity: 500, temperature: 0.2 });
 * ```
 */
export const erAml = strategy(
  "erAml",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** What similarities are divided by. */
    temperature: 0.2,
  },
  ({ capacity, draw, temperature }) => {
    requireWhole("erAml", "capacity", capacity, 1);
    requireWhole("erAml", "draw", draw, 0);
    requireNumber("erAml", "temperature", temperature, 1e-6);
    return {
      init: (): OnlineMemory => ({ buffer: null }),
      batch: (memory: OnlineMemory, batch, context) =>
        replayed(memory, batch, { name: "erAml", capacity, draw, weight: 0 }, context),
      taskLoss(_state, step) {
        const now = currentRows(step);
        const past = joinedRows(step, "erAml");
        if (past === null) return step.crossEntropy(now.logits, now.y, now.mask);
        const features = normalised(tf.concat([now.features, past.features], 0));
        const y = tf.concat([now.y, past.y], 0);
        const [n, all] = [now.count, now.count + past.count];
        const own = tf.slice(features, [0, 0], [n, features.shape[1]!]);
        const near = tf.matMul(own as tf.Tensor2D, features as tf.Tensor2D, false, true);
        const s = tf.exp(tf.div(tf.sub(near, 1), temperature));
        const notSelf = tf.sub(1, tf.eye(n, all));
        const same = sameColumn(now.y, y);
        const columns = now.logits.shape[1]!;
        const open = tf.gather(tf.reshape(present(now.y, columns), [columns]), tf.cast(y, "int32"));
        const against = tf.sum(tf.mul(s, tf.mul(tf.sub(1, same), tf.expandDims(open, 0))), 1, true);
        const positive = tf.mul(same, notSelf);
        const terms = tf.mul(tf.sub(tf.log(tf.add(tf.add(s, against), 1e-12)), tf.log(tf.add(s, 1e-12))), positive);
        const counts = tf.sum(positive, 1);
        const each = tf.div(tf.sum(terms, 1), tf.maximum(counts, 1));
        return tf.add(tf.mean(each), step.crossEntropy(past.logits, past.y, past.mask)) as tf.Scalar;
      },
    };
  },
);

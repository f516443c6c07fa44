import { tf } from "../../engine/index.ts";
import { contrasted, present, sameColumn } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { type OnlineMemory, replayed } from "../parts/online.ts";
import { currentRows, pastEntropy } from "../parts/rows.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Experience replay with asymmetric metric learning: new examples are drawn to those of their class and pushed from other classes of the
 * batch, never from old ones.
 *
 * For a new example i, `mean_p −log s(p,i) / Σ_a s(a,i)`: p are the others of its class among batch and drawn examples, a these and the
 * examples of the batch's other classes, and `s = exp(f_p·f_i / temperature)` over features of length 1. New examples without another
 * of their class do not count. Drawn examples have the cross-entropy over all columns; before there are any, the batch has it.
 *
 * Caccia et al. 2022, arXiv:2104.05025, eq. 1–3 (ER-AML), with γ = 1.
 * Differs from the paper: positives and negatives are those among the batch and one draw, not one of each fetched for every example; the
 * cross-entropy is over the linear head's logits, not over cosines.
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
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): OnlineMemory => ({ buffer: null }),
      batch: (memory: OnlineMemory, batch, context) =>
        replayed(memory, batch, { name: "erAml", capacity, draw, weight: 1 }, context),
      taskLoss(_state, step) {
        const now = currentRows(step);
        if (step.x.shape[0] === step.current) return step.crossEntropy(now.logits, now.y, now.mask);
        const [n, all] = [now.count, step.y.shape[0]!];
        const features = normalised(step.features) as tf.Tensor2D;
        const own = tf.slice(features, [0, 0], [n, features.shape[1]]);
        const near = tf.div(tf.sub(tf.matMul(own, features, false, true), 1), temperature);
        const columns = now.logits.shape[1]!;
        const inBatch = tf.gather(tf.reshape(present(now.y, columns), [columns]), tf.cast(step.y, "int32"));
        const others = tf.mul(tf.sub(1, tf.eye(n, all)), tf.expandDims(inBatch, 0));
        const positive = tf.mul(sameColumn(now.y, step.y), others);
        return contrasted(near, positive, others);
      },
      loss: (_state, step) => pastEntropy(step),
    };
  },
);

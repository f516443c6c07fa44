import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import { oneHots, present, supervisedContrast } from "../parts/contrast.ts";
import { normalised, softCrossEntropies } from "../parts/distillation.ts";
import { headKernel } from "../parts/head-kernel.ts";
import { type OnlineMemory, replayed } from "../parts/online.ts";
import { joinedRows } from "../parts/rows.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "../parts/snapshot.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory extends OnlineMemory {
  readonly tensors: { readonly teacher?: Snapshot };
}

/**
 * Holistic proxy-based contrastive replay: examples are compared with the proxies of the classes at hand, and with each other.
 *
 * Logits are cosines of features and the head's columns over `temperature`. The loss of the batch and drawn examples is the cross-entropy
 * over the classes that are present among them, each proxy counted as often as its class is there; plus `pairs` times the supervised
 * contrastive loss of their features; plus `distilled` times the distance, on drawn examples, to what the network gave before the
 * experience.
 *
 * Lin et al. 2023 and 2024 (PCR, CVPR 2023; HPCR, arXiv:2309.15038), eq. 4–8.
 * Differs from the paper: one temperature in place of one that swings for the two parts of the gradient; what is distilled is the
 * softmax of the network before the experience, not recorded logits and the likeness of recorded features; pairs always take part, not
 * only in large batches; examples are not augmented.
 *
 * @example
 * ```ts
 * import { hpcr } from "thalweg";
 * hpcr({ capacity: 500 });
 * ```
 */
export const hpcr = strategy(
  "hpcr",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** What cosines are divided by. */
    temperature: 0.09,
    /** Strength of the comparison of examples with each other; 0 is PCR. */
    pairs: 0.1,
    /** Strength of the distillation. */
    distilled: 0.1,
  },
  ({ capacity, draw, temperature, pairs, distilled }) => {
    requireWhole("hpcr", "capacity", capacity, 1);
    requireWhole("hpcr", "draw", draw, 0);
    requireNumber("hpcr", "temperature", temperature, 1e-6);
    requireNumber("hpcr", "pairs", pairs, 0);
    requireNumber("hpcr", "distilled", distilled, 0);
    return {
      init: (): Memory => ({ buffer: null, tensors: {} }),
      beforeExperience: (memory: Memory, { index }, context): Memory => ({
        ...memory,
        tensors: index === 0 ? {} : { teacher: snapshot(context) },
      }),
      batch: (memory: Memory, batch, context) =>
        replayed(memory, batch, { name: "hpcr", capacity, draw, weight: 1 }, context),
      rowwise: true,
      forward(_state, { plain, weights }) {
        const { features } = plain();
        const kernel = normalised(tf.transpose(headKernel("hpcr", weights)));
        const cosines = tf.matMul(normalised(features) as tf.Tensor2D, kernel as tf.Tensor2D, false, true);
        return { features, logits: tf.div(cosines, temperature) };
      },
      taskLoss(_state, step) {
        const { logits, y, features, mask } = step;
        const columns = logits.shape[1]!;
        const counts = tf.sum(oneHots(y, columns), 0, true);
        const often = tf.log(tf.maximum(counts, 1));
        const here = tf.add(often, tf.mul(tf.sub(1, present(y, columns)), excluded));
        // The row's own proxy is counted in the sum alone, so its share is taken out again.
        const twice = tf.mean(tf.gather(tf.reshape(often, [columns]), tf.cast(y, "int32")));
        let loss: tf.Tensor = tf.add(step.crossEntropy(tf.add(logits, here), y, mask), twice);
        if (pairs > 0) loss = tf.add(loss, tf.mul(supervisedContrast(normalised(features), y, temperature), pairs));
        return loss as tf.Scalar;
      },
      loss({ tensors }, step) {
        const old = joinedRows(step, "hpcr");
        if (old === null || tensors.teacher === undefined) return tf.scalar(0);
        const before = widenedTo(recalled(tensors.teacher, step, old.x, old.task).logits, old.logits.shape[1]!);
        return tf.mul(tf.mean(softCrossEntropies(old.logits, before, 1)), distilled) as tf.Scalar;
      },
    };
  },
  ["boundary"],
);

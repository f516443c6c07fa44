import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { oldColumns, softCrossEntropies } from "../parts/distillation.ts";
import {
  blanks,
  type Choice,
  choices,
  type Exemplars,
  rehearsal,
  shareOfOld,
  unmet,
  withExperience,
} from "../parts/exemplars.ts";
import { headKernel } from "../parts/head-kernel.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "../parts/snapshot.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly exemplars: Exemplars | null;
  readonly tensors: { readonly teacher: Snapshot; readonly old: tf.Tensor; readonly share: tf.Tensor } | undefined;
}

/**
 * Weight aligning: exemplars and distillation, after which the head's weights of new classes are shrunk to the length of the old ones.
 *
 * Trains on the experience's examples together with all exemplars; the loss is `(1 − s) · CE + s · KD` with s the share of old among all
 * classes so far and KD the softened cross-entropy over old columns. After the experience the kernels of new columns are multiplied by
 * `mean ‖w_old‖ / mean ‖w_new‖`. The method takes it that new columns have grown longer than old ones; where training was too short for
 * that, aligning favours the new classes, and a note says so.
 *
 * Zhao et al. 2020, arXiv:1911.07053, eq. 2–5.
 * Differs from the paper: the head's kernel is not clipped to be positive during training; biases stay.
 *
 * @example
 * ```ts
 * import { wa } from "thalweg";
 * wa({ capacity: 2000 });
 * ```
 */
export const wa = strategy(
  "wa",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** What logits are divided by in the distillation. */
    temperature: 2,
  },
  ({ capacity, choose, temperature }) => {
    requireWhole("wa", "capacity", capacity, 1);
    requireOneOf("wa", "choose", choose, choices);
    requireNumber("wa", "temperature", temperature, 1e-6);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): Memory => ({ exemplars: null, tensors: undefined }),
      beforeExperience({ exemplars }: Memory, { index, classes }, context): Memory {
        const old = oldColumns(context, index);
        if (old === null) return { exemplars, tensors: undefined };
        const share = tf.scalar(shareOfOld(exemplars, classes));
        return { exemplars, tensors: { teacher: snapshot(context), old, share } };
      },
      ...rehearsal,
      taskLoss({ tensors }, step) {
        const labels = step.crossEntropy(step.logits, step.y, step.mask, step.weight);
        return tensors === undefined ? labels : (tf.mul(labels, tf.sub(1, tensors.share)) as tf.Scalar);
      },
      loss({ tensors }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { logits, x, task } = step;
        const teacher = widenedTo(recalled(tensors.teacher, step, x, task).logits, logits.shape[1]!);
        const held = tf.mean(softCrossEntropies(logits, teacher, temperature, tensors.old));
        return tf.mul(held, tensors.share) as tf.Scalar;
      },
      afterExperience({ exemplars, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, choose, context);
        const fresh = unmet(exemplars, classes);
        const old = [...(exemplars?.classes.keys() ?? [])];
        if (fresh.length === 0 || old.length === 0) return { exemplars: next, tensors, notes: blanks(next) };
        const { weights, factor } = aligned(context.weights, old, fresh);
        const said = `aligning lengthened the new columns by ${factor.toFixed(2)}, which favours the new classes; train longer`;
        return { exemplars: next, tensors, weights, notes: [...blanks(next), ...(factor > 1 ? [said] : [])] };
      },
    };
  },
  ["boundary", "labels"],
);

/** The weights with the kernels of `fresh` columns scaled to the mean length of those of `old` ones, and by how much they were. */
function aligned(
  weights: Weights,
  old: readonly number[],
  fresh: readonly number[],
): { readonly weights: Weights; readonly factor: number } {
  const kernel = headKernel("wa", weights);
  const lengths = tf.tidy(() => tf.sqrt(tf.sum(tf.square(kernel), 0)).dataSync());
  const mean = (of: readonly number[]): number => of.reduce((sum, c) => sum + lengths[c]!, 0) / of.length;
  const factor = mean(old) / Math.max(mean(fresh), 1e-12);
  const scale = Float32Array.from(lengths, (_, c) => (fresh.includes(c) ? factor : 1));
  const scaled = tf.tidy(() => tf.mul(kernel, tf.tensor1d(scale)));
  return { weights: { ...weights, head: { ...weights.head, kernel: scaled } }, factor };
}

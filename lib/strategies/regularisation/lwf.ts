import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import { pastColumns, softCrossEntropies } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "../parts/snapshot.ts";
import { requireNumber, requireOneOf, type Step, strategy } from "../strategy.ts";

interface Memory {
  /** The network before, how often each group of past columns counts, and what the new examples' loss is multiplied by. */
  tensors: { readonly teacher: Snapshot; readonly groups: tf.Tensor; readonly fresh: tf.Tensor } | undefined;
}

/**
 * Learning without forgetting: on the new examples the network is held to what it said of them before the experience.
 *
 * Adds `lambda · Σ_g mean_x −Σ_{c∈g} p_c log q_c`, with p and q the softmax, over the columns of group g, of the logits of the network
 * before the experience and now, divided by `temperature`. The groups are the heads of the past tasks; where all tasks share one head there is one
 * group, of the columns met so far, which may count more with every experience (`weighting`). There is no factor T²; `lambda` can have it.
 *
 * Li and Hoiem 2016, arXiv:1606.09282, eq. 2–3. In van de Ven et al. 2022 `weighting` is "tasks" for
 * domain-incremental streams, and `over` is "all" for class-incremental ones; "ratio" is the convention of Avalanche's baseline.
 * Differs from the paper: no warm-up of the new head, no weight decay of its own. With a head per task each step takes a softmax for every
 * past one.
 *
 * @example
 * ```ts
 * import { lwf } from "thalweg";
 * lwf({ lambda: 1, temperature: 2 });
 * ```
 */
export const lwf = strategy(
  "lwf",
  {
    /** Strength of the distillation. */
    lambda: 1,
    /** What logits are divided by. */
    temperature: 2,
    /**
     * How often a single group of past columns counts in the t-th experience: once, t − 1 times, or, for "ratio", `(t − 1)²/t` times beside
     * `1/t` of the new examples' loss.
     */
    weighting: "constant" as "constant" | "tasks" | "ratio",
    /** Which columns the network's own softmax is over: the past ones, or all of them, where new ones should then get nothing. */
    over: "old" as "old" | "all",
  },
  ({ lambda, temperature, weighting, over }) => {
    requireNumber("lwf", "lambda", lambda, 0);
    requireNumber("lwf", "temperature", temperature, 1e-6);
    requireOneOf("lwf", "weighting", weighting, ["constant", "tasks", "ratio"]);
    requireOneOf("lwf", "over", over, ["old", "all"]);
    return {
      tokens: true,
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience(memory, { index }, context) {
        const groups = pastColumns(context, index);
        if (groups === null) return memory;
        const often = { constant: 1, tasks: index, ratio: index ** 2 / (index + 1) }[weighting];
        const alone = context.stream.head !== "multi";
        const times = alone ? often : 1;
        const weighted = tf.tidy(() => tf.mul(groups, times));
        groups.dispose();
        const fresh = tf.scalar(alone ? 1 / (index + 1) : 1);
        return { tensors: { teacher: snapshot(context), groups: weighted, fresh } };
      },
      ...(weighting === "ratio" && {
        taskLoss({ tensors }: Memory, step: Step): tf.Scalar {
          const loss = step.targetLoss();
          return tensors === undefined ? loss : (tf.mul(loss, tensors.fresh) as tf.Scalar);
        },
      }),
      loss({ tensors }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { x, task, logits } = currentRows(step);
        const [groups, columns] = tensors.groups.shape as [number, number];
        const before = widenedTo(recalled(tensors.teacher, step, x, task).logits, columns);
        const inGroup = tf.reshape(tf.cast(tf.greater(tensors.groups, 0), "float32"), [
          groups,
          ...logits.shape.slice(1).map(() => 1),
          columns,
        ]);
        const student = tf.expandDims(logits, 0);
        const teacher = tf.expandDims(before, 0);
        const each =
          over === "old"
            ? softCrossEntropies(student, teacher, temperature, inGroup)
            : softCrossEntropies(student, tf.add(teacher, tf.mul(tf.sub(1, inGroup), excluded)), temperature);
        const times = tf.max(tensors.groups, 1);
        return tf.mul(
          tf.sum(
            tf.mul(
              tf.mean(
                each,
                each.shape.slice(1).map((_, axis) => axis + 1),
              ),
              times,
            ),
          ),
          lambda,
        ) as tf.Scalar;
      },
    };
  },
  ["boundary"],
);

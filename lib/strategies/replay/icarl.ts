import { tf } from "../../engine/index.ts";
import { nearness, unitMeans } from "../parts/closed-form.ts";
import { oneHots } from "../parts/contrast.ts";
import {
  blanks,
  type Choice,
  choices,
  type Exemplars,
  exemplarTable,
  rehearsal,
  unitRows,
  withExperience,
} from "../parts/exemplars.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "../parts/snapshot.ts";
import { type Prediction, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly exemplars: Exemplars | null;
  readonly tensors: {
    readonly teacher?: Snapshot;
    readonly old?: tf.Tensor;
    readonly open?: tf.Tensor;
    readonly means?: tf.Tensor;
    readonly seen?: tf.Tensor;
  };
}

/**
 * iCaRL: exemplars chosen by herding, a sigmoid for each class, distillation, and classification by the nearest mean of exemplars.
 *
 * Trains on the experience's examples together with all exemplars. The loss is the sum over columns of the binary cross-entropy between
 * the sigmoid of each logit and its target: the label's 0 or 1 for new classes, what the network gave before the experience for old
 * ones. After the experience each new class gets `capacity / classes` exemplars in herding order of their normalised features, older
 * classes keep the first so many of theirs, and an example is given the class whose mean of normalised exemplar features is nearest.
 *
 * Rebuffi et al. 2017, arXiv:1611.07725, algorithms 1–5; `share: "all"` and `temperature: 2` are the conventions of van de Ven et al. 2022.
 * Differs from the paper: features come from exemplars as they are, not also from mirrored ones; the loss is the mean over rows of the sum
 * over columns.
 *
 * Implements: P285 iCaRL
 *
 * @example
 * ```ts
 * import { icarl } from "thalweg";
 * icarl({ capacity: 2000 });
 * ```
 */
export const icarl = strategy(
  "icarl",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** How an example is classified: by the nearest mean of exemplars, or by the largest logit. */
    predict: "means" as "means" | "head",
    /** Among which classes the capacity is shared: those met so far, or all of the stream from the start. */
    share: "met" as "met" | "all",
    /** By which the logits of old classes are divided before the sigmoid that makes their targets. */
    temperature: 1,
  },
  ({ capacity, choose, predict, share, temperature }) => {
    requireWhole("icarl", "capacity", capacity, 1);
    requireOneOf("icarl", "share", share, ["met", "all"]);
    requireNumber("icarl", "temperature", temperature, 1e-3);
    requireOneOf("icarl", "choose", choose, choices);
    requireOneOf("icarl", "predict", predict, ["means", "head"]);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): Memory => ({ exemplars: null, tensors: {} }),
      beforeExperience({ exemplars, tensors }: Memory, { classes }, context): Memory {
        const { columns } = context;
        const met = [...(exemplars?.classes.keys() ?? [])];
        const mark = (which: readonly number[]): tf.Tensor =>
          tf.tensor2d(
            Float32Array.from({ length: columns }, (_, c) => (which.includes(c) ? 1 : 0)),
            [1, columns],
          );
        return {
          exemplars,
          tensors: {
            ...tensors,
            ...(met.length > 0 && { teacher: snapshot(context), old: mark(met) }),
            open: mark([...met, ...classes]),
          },
        };
      },
      ...rehearsal,
      taskLoss({ tensors: { teacher, old, open } }, { logits, y }) {
        const columns = teacher === undefined ? open! : tf.sub(open!, old!);
        return binaryCrossEntropy(logits, oneHots(y, logits.shape[1]!), columns);
      },
      loss({ tensors: { teacher, old } }, step) {
        if (teacher === undefined) return tf.scalar(0);
        const { logits, x, task } = step;
        const z = widenedTo(recalled(teacher, step, x, task).logits, logits.shape[1]!);
        const before = tf.sigmoid(temperature === 1 ? z : tf.div(z, temperature));
        return binaryCrossEntropy(logits, before, old!);
      },
      afterExperience({ exemplars, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, choose, context, share);
        if (next === null) return { exemplars: next, tensors };
        const all = exemplarTable(next);
        return {
          exemplars: next,
          tensors: {
            ...tensors,
            ...unitMeans(unitRows(context.outputs(all).features, all.length), all.labels, context.columns),
          },
          notes: blanks(next),
        };
      },
      ...(predict === "means" && {
        rowwise: true,
        predict: ({ tensors }: Partial<Memory>, { features, logits }: Prediction) =>
          tensors?.means === undefined
            ? logits
            : nearness(features, { means: tensors.means, seen: tensors.seen! }, logits.shape[1]!),
      }),
    };
  },
  ["boundary", "labels"],
);

/** The mean over rows of the sum over some columns of the binary cross-entropy of logits. */
function binaryCrossEntropy(logits: tf.Tensor, targets: tf.Tensor, columns: tf.Tensor): tf.Scalar {
  const losses = tf.sub(tf.softplus(logits), tf.mul(targets, logits));
  return tf.mean(tf.sum(tf.mul(losses, columns), -1)) as tf.Scalar;
}

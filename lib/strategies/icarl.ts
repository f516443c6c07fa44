import { joined } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import { excluded } from "../models/network.ts";
import { classMeans } from "./parts/closed-form.ts";
import { normalised } from "./parts/distillation.ts";
import {
  type Choice,
  constantClass,
  type Exemplars,
  exemplarTable,
  unitRows,
  withExperience,
} from "./parts/exemplars.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "./parts/snapshot.ts";
import { type Context, requireOneOf, requireWhole, strategy } from "./strategy.ts";

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
 * Rebuffi et al. 2017, arXiv:1611.07725, algorithms 1–5.
 * Differs from the paper: features come from exemplars as they are, not also from mirrored ones; the loss is the mean over rows of the sum
 * over columns; columns of classes not yet met have no loss.
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
  },
  ({ capacity, choose, predict }) => {
    requireWhole("icarl", "capacity", capacity, 1);
    requireOneOf("icarl", "choose", choose, ["herding", "random"]);
    requireOneOf("icarl", "predict", predict, ["means", "head"]);
    return {
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
      data: ({ exemplars }: Memory, { train }) =>
        exemplars === null ? train : joined([train, exemplarTable(exemplars)]),
      taskLoss({ tensors }, step) {
        const { teacher, old, open } = tensors;
        const { logits, x, y, task } = step;
        const columns = logits.shape[1]!;
        const labels = tf.cast(tf.oneHot(tf.cast(y, "int32"), columns), "float32");
        const targets =
          teacher === undefined
            ? labels
            : tf.where(
                tf.greater(tf.mul(old!, tf.onesLike(labels)), 0),
                tf.sigmoid(widenedTo(recalled(teacher, step, x, task).logits, columns)),
                labels,
              );
        const losses = tf.sub(tf.softplus(logits), tf.mul(targets, logits));
        return tf.mean(tf.sum(tf.mul(losses, open!), -1)) as tf.Scalar;
      },
      afterExperience({ exemplars, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, choose, context);
        if (next === null) return { exemplars: next, tensors };
        const constant = constantClass(next);
        return {
          exemplars: next,
          tensors: { ...tensors, ...meansOf(next, context) },
          notes: constant === null ? [] : [`the exemplars of class ${constant} are constant images`],
        };
      },
      ...(predict === "means" && {
        predict(
          { tensors }: { tensors?: Memory["tensors"] },
          { features, logits }: { features: tf.Tensor; logits: tf.Tensor },
        ) {
          if (tensors?.means === undefined) return logits;
          const near = tf.mul(
            tf.matMul(normalised(features) as tf.Tensor2D, tensors.means as tf.Tensor2D, false, true),
            2,
          );
          const columns = logits.shape[1]!;
          const distances = tf.sub(near, tf.sum(tf.square(tensors.means), 1));
          const missing = columns - tensors.means.shape[0]!;
          const all = tf.where(tf.greater(tensors.seen!, 0), distances, tf.fill(distances.shape, excluded));
          return missing === 0
            ? all
            : tf.pad(
                all,
                [
                  [0, 0],
                  [0, missing],
                ],
                excluded,
              );
        },
      }),
    };
  },
  ["boundary", "labels"],
);

/** The mean of the normalised features of each class's exemplars. */
function meansOf(exemplars: Exemplars, context: Context): { means: tf.Tensor; seen: tf.Tensor } {
  const all = exemplarTable(exemplars);
  const vectors = unitRows(context.outputs(all).features, all.length);
  const width = vectors.length / all.length;
  const counts = new Float64Array(context.columns);
  const sums = new Float64Array(context.columns * width);
  all.labels.forEach((label, i) => {
    counts[label]! += 1;
    for (let j = 0; j < width; j++) sums[label * width + j]! += vectors[i * width + j]!;
  });
  const means = Float32Array.from(classMeans({ sums, counts, width }));
  return { means: tf.tensor2d(means, [context.columns, width]), seen: tf.tensor1d(Float32Array.from(counts)) };
}

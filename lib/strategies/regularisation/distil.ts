import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { oneHots } from "../parts/contrast.ts";
import { labelsLoss, meanSquares, softCrossEntropies, taughtShare } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, type Snapshot, snapshot } from "../parts/snapshot.ts";
import { firstColumns, type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, requireOneOf, strategy } from "../strategy.ts";

interface Memory {
  /** The teacher, and where examples are partitioned the network as the run began. */
  readonly tensors: TeacherTensors & { readonly own?: Snapshot };
}

/**
 * Distillation: a network learns from what a trained one says of the same examples, besides the labels.
 *
 * The loss is `(1 − weight) · CE + weight · T² · mean −Σ_c p_c log q_c`, with p and q the softmax of the teacher's and the network's
 * logits divided by the temperature T, over the columns that the teacher has learnt, at each place where the stream asks for tokens. Where
 * it asks for numbers the second term is `weight` times the mean squared difference. Rows that other strategies have joined, as replay has, are
 * learnt from their labels alone, and count by their number. Labels are not needed for it: with a weight of 1 rows
 * without one teach as much as others. In the record the teacher stands as its checksum. Without a teacher the network learns from what it
 * was when the run began.
 *
 * With `partition` an example is learnt from the teacher only where it is the surer of the two, and else from the network as the run began: what one
 * knows is passed on, what the other knows is kept. Surer is who gives the label more probability ("label"), or whose most probable class has more
 * ("confidence", which needs no labels).
 *
 * Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2. Differs from the paper: none known.
 *
 * Implements: P046 General knowledge transfer
 * Roth et al. 2024, "Fantastic gains and where to find them", arXiv:2310.17653, section 4.2 (KL distillation with data partitioning): `partition`.
 *
 * Implements: P387 Well-Read Students
 * Turc et al. 2019, "Well-read students learn better", arXiv:1908.08962, section 3: a phase without labels between one of pretraining and one of tuning.
 *
 * Implements: P314 Random teachers
 * Sarnthein et al. 2023, "Random teachers are good teachers", arXiv:2302.12091: a teacher that is drawn and not trained, `weight: 1`, no labels.
 *
 * @throws TypeError where teacher and stream have other classes; RangeError where their examples have other shapes.
 *
 * @example
 * ```ts
 * import { classes, digits, distil, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * const two = phases({
 *   teacher: stream.learn(mlp({ hidden: [64] })),
 *   student: (teacher) => stream.learn(mlp({ hidden: [8] })).by(distil({ teacher, temperature: 4, weight: 0.9 })),
 * });
 * two.name; // "teacher → student"
 * ```
 */
export const distil = strategy(
  "distil",
  {
    /** The network that is learnt from; null stands for the network itself as the run begins. */
    teacher: null as TrainedNetwork | null,
    /** What logits are divided by. */
    temperature: 2,
    /** The share of the teacher in the loss, in [0, 1]; the labels have the rest. */
    weight: 0.5,
    /** Whether examples that the network itself was surer of are learnt from it as it was, and by what that is told. */
    partition: "none" as "none" | "label" | "confidence",
  },
  ({ teacher, temperature, weight, partition }) => {
    requireNumber("distil", "temperature", temperature, 1e-6);
    requireNumber("distil", "weight", weight, 0, 1);
    requireOneOf("distil", "partition", partition, ["none", "label", "confidence"]);
    const given = teacher === null ? null : teacherOf("distil", teacher);
    return {
      tokens: true,
      init(context): Memory {
        const { target } = context.stream;
        if (target === "labels")
          throw new TypeError(
            "distil: a stream that asks for one class, tokens or numbers is required, got several labels",
          );
        if (partition !== "none" && target !== "class")
          throw new TypeError(`distil: a stream of classes is required to partition its examples, got ${target}`);
        if (given === null) return { tensors: { ...snapshot(context), open: tf.ones([1, context.columns]) } };
        const tensors = given.tensors(context);
        return { tensors: partition === "none" ? tensors : { ...tensors, own: snapshot(context) } };
      },
      taskLoss: (_state, step) => labelsLoss(step, weight),
      loss({ tensors }, step) {
        const { x, y, task, logits } = currentRows(step);
        const said =
          given === null
            ? recalled({ weights: tensors.weights, statistics: tensors.statistics ?? {} }, step, x, task).logits
            : given.logits(tensors, x);
        const count = Math.min(said.shape.at(-1)!, logits.shape.at(-1)!);
        const student = firstColumns(logits, count);
        let wanted = firstColumns(said, count);
        if (step.target === "numbers")
          return tf.mul(meanSquares(student, wanted), taughtShare(step, weight)) as tf.Scalar;
        const open = firstColumns(tensors.open, count);
        if (tensors.own !== undefined) {
          const before = firstColumns(recalled(tensors.own, step, x, task).logits, count);
          const knows = (z: tf.Tensor): tf.Tensor =>
            sureness(tf.add(z, tf.mul(tf.sub(1, open), excluded)), y, partition);
          wanted = tf.where(tf.expandDims(tf.greater(knows(wanted), knows(before)), 1), wanted, before);
        }
        const each = softCrossEntropies(student, wanted, temperature, open);
        return tf.mul(tf.mean(each), taughtShare(step, weight) * temperature ** 2) as tf.Scalar;
      },
    };
  },
);

/** `[n]`: the log-probability of the label, or of the most probable class. */
function sureness(logits: tf.Tensor, y: tf.Tensor, by: "none" | "label" | "confidence"): tf.Tensor {
  const sure = tf.logSoftmax(logits);
  if (by === "confidence") return tf.max(sure, -1);
  return tf.sum(tf.mul(sure, oneHots(y, logits.shape.at(-1)!)), -1);
}

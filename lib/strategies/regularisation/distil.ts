import { tf } from "../../engine/index.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { meanSquares, softCrossEntropies } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, snapshot } from "../parts/snapshot.ts";
import { firstColumns, type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: TeacherTensors;
}

/**
 * Distillation: a network learns from what a trained one says of the same examples, besides the labels.
 *
 * The loss is `(1 − weight) · CE + weight · T² · mean −Σ_c p_c log q_c`, with p and q the softmax of the teacher's and the network's
 * logits divided by the temperature T, over the columns that the teacher has learnt, at each place where the stream asks for tokens. Where
 * it asks for numbers the second term is `weight` times the mean squared difference. Labels are not needed for it: with a weight of 1 rows
 * without one teach as much as others. In the record the teacher stands as its checksum. Without a teacher the network learns from what it
 * was when the run began.
 *
 * Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2. Differs from the paper: none known.
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
  },
  ({ teacher, temperature, weight }) => {
    requireNumber("distil", "temperature", temperature, 1e-6);
    requireNumber("distil", "weight", weight, 0, 1);
    const given = teacher === null ? null : teacherOf("distil", teacher);
    return {
      tokens: true,
      init(context): Memory {
        const { target } = context.stream;
        if (target === "labels")
          throw new TypeError(
            "distil: a stream that asks for one class, tokens or numbers is required, got several labels",
          );
        const own = (): TeacherTensors => ({ ...snapshot(context), open: tf.ones([1, context.columns]) });
        return { tensors: given === null ? own() : given.tensors(context) };
      },
      taskLoss: (_state, step) => tf.mul(step.targetLoss(), 1 - weight) as tf.Scalar,
      loss({ tensors }, step) {
        const { x, task, logits } = currentRows(step);
        const said =
          given === null
            ? recalled({ weights: tensors.weights, statistics: tensors.statistics ?? {} }, step, x, task).logits
            : given.logits(tensors, x);
        const count = Math.min(said.shape.at(-1)!, logits.shape.at(-1)!);
        const [student, wanted] = [firstColumns(logits, count), firstColumns(said, count)];
        if (step.target === "numbers") return tf.mul(meanSquares(student, wanted), weight) as tf.Scalar;
        const open = firstColumns(tensors.open, count);
        const each = softCrossEntropies(student, wanted, temperature, open);
        return tf.mul(tf.mean(each), weight * temperature ** 2) as tf.Scalar;
      },
    };
  },
);

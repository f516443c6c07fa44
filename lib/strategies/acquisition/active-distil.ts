import { select } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { type AcquisitionName, acquisitions, highest, probabilitiesOf } from "../parts/acquisitions.ts";
import { withExtra } from "../parts/buffer.ts";
import { drawn, robustDraw } from "../parts/robust-draw.ts";
import { currentRows, partOf } from "../parts/rows.ts";
import { readingOf } from "../parts/teacher.ts";
import { type Context, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** Positions of the table that are trained on, ascending: with a label, or with an answer. */
  readonly at: Uint32Array | null;
  /** `[at, columns]`: what each of them asks for. */
  readonly wanted: Float32Array;
  /** The teacher's answers so far, by position. */
  readonly answers: ReadonlyMap<number, Float32Array>;
}

const ways = ["robust", "random", "entropy", "margin"] as const;

/**
 * Distillation with few questions: of the examples without a label some are chosen whose probabilities the teacher is asked for, and the network learns
 * from these and from the labels.
 *
 * When an experience arrives, the network as it is says what it is unsure of. `robust` draws with the probabilities that gain most against the worst choice
 * of the teacher's mistakes: among the examples with the smallest margins, those with larger ones more often. `entropy` and `margin` ask for the most
 * uncertain, `random` for any. With `pool: "one"` all experiences are the same examples (`stream.unlabel(0.9).repeat(5)`), and answers are kept. The loss is
 * the mean cross-entropy with the label, or with the teacher's probabilities. Without a teacher the network answers itself as it is then: self-training.
 *
 * Implements: P458 Robust Active Distillation (RAD)
 * Baykal, Trinh, Iliopoulos, Menghani and Vee 2023, "Robust active distillation", arXiv:2210.01213: gains are 1 − margin of the student.
 * Differs from the paper: an answer that is wrong is worth nothing in the game; the number of mistakes is taken from the teacher's error on the
 * examples that have a label, unless `mistakes` says it.
 *
 * @example
 * ```ts
 * import { activeDistil, classes, digits, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   teacher: stream.learn(mlp({ hidden: [64] })),
 *   student: (teacher) => stream.unlabel(0.9).repeat(3).learn(mlp({ hidden: [16] })).by(activeDistil({ teacher, questions: 50, pool: "one" })),
 * });
 * ```
 */
export const activeDistil = strategy(
  "activeDistil",
  {
    /** The network that is asked. */
    teacher: null as TrainedNetwork | null,
    /** Questions in each experience. */
    questions: 100,
    /** How the examples that are asked about are chosen. */
    by: "robust" as (typeof ways)[number],
    /** The share of the examples that the teacher is taken to be wrong about; −1 takes it from its error on those with a label. */
    mistakes: -1,
    /** Whether each experience has examples of its own, or all are the same ones. */
    pool: "each" as "each" | "one",
  },
  ({ teacher, questions, by, mistakes, pool }) => {
    requireWhole("activeDistil", "questions", questions, 0);
    requireOneOf("activeDistil", "by", by, ways);
    requireNumber("activeDistil", "mistakes", mistakes, -1, 1);
    requireOneOf("activeDistil", "pool", pool, ["each", "one"]);
    return {
      tokens: "an example is asked about as a whole, and a sequence has a class at each place",
      classes: true,
      init: (): Memory => ({ at: null, wanted: new Float32Array(0), answers: new Map() }),
      beforeExperience({ answers: had }: Memory, { train, task, index }, context: Context): Memory {
        const { columns, mask, outputs, rng } = context;
        const answers = new Map(pool === "one" ? had : []);
        const labels = train.labels;
        const unknown = [...labels.keys()].filter((i) => labels[i]! < 0 && !answers.has(i));
        if (unknown.length > 0 && questions > 0) {
          const noise = rng.at("ask", index);
          const open = mask(Int32Array.of(task))?.data ?? null;
          const own = probabilitiesOf(outputs(train).logits, columns, open);
          const said = teacher === null ? own : answersOf(teacher, train, columns);
          const rows = Float32Array.from(unknown.flatMap((i) => [...own.subarray(i * columns, (i + 1) * columns)]));
          const count = Math.min(questions, unknown.length);
          const asked =
            by === "robust"
              ? drawn(
                  robustDraw(
                    acquisitions.margin(rows, columns, noise),
                    unknown.length * (mistakes < 0 ? errorOf(said, labels, columns) : mistakes),
                  ),
                  count,
                  noise,
                )
              : highest(acquisitions[by as AcquisitionName](rows, columns, noise), count);
          for (const k of asked)
            answers.set(unknown[k]!, said.slice(unknown[k]! * columns, (unknown[k]! + 1) * columns));
        }
        const at = Uint32Array.from([...labels.keys()].filter((i) => labels[i]! >= 0 || answers.has(i)));
        const wanted = new Float32Array(at.length * columns);
        at.forEach((i, row) => {
          const answer = answers.get(i);
          if (labels[i]! >= 0) wanted[row * columns + labels[i]!] = 1;
          else wanted.set(answer!.subarray(0, columns), row * columns);
        });
        return { at, wanted, answers };
      },
      // A label stands where there is none, so that the row counts: what it asks for is in the extra input.
      data: ({ at }: Memory, { train }) =>
        at === null
          ? train
          : select(
              train,
              at,
              Int32Array.from(at, (i) => Math.max(0, train.labels[i]!)),
            ),
      batch({ wanted }: Memory, batch, { columns }) {
        const rows = new Float32Array(batch.current * columns);
        for (let i = 0; i < batch.current; i++)
          rows.set(wanted.subarray(batch.at[i]! * columns, (batch.at[i]! + 1) * columns), i * columns);
        return withExtra(batch, "activeDistil", { wanted: { data: rows, shape: [batch.current, columns] } });
      },
      taskLoss(_state, step) {
        const { logits, mask } = currentRows(step);
        const open = masked(logits, mask);
        const own = tf.neg(tf.mean(tf.sum(tf.mul(step.extra.wanted!, tf.logSoftmax(open)), -1)));
        const [rows, all] = [step.current, step.x.shape[0]!];
        if (rows === all) return own as tf.Scalar;
        const joint = step.targetLoss(partOf(step, rows, all));
        return tf.add(tf.mul(own, rows / all), tf.mul(joint, 1 - rows / all)) as tf.Scalar;
      },
    };
  },
);

/** The teacher's probabilities over the columns of the run, row after row. */
function answersOf(teacher: TrainedNetwork, train: Parameters<typeof readingOf>[1], columns: number): Float32Array {
  const { logits, columns: own } = readingOf(teacher, train);
  const p = probabilitiesOf(logits, own.length, null);
  const out = new Float32Array(train.length * columns);
  for (let i = 0; i < train.length; i++)
    own.forEach((column, c) => {
      if (column < columns) out[i * columns + column] = p[i * own.length + c]!;
    });
  return out;
}

/** The share of the labelled examples that the probabilities decide wrong; 0 where none has a label. */
function errorOf(probabilities: Float32Array, labels: Int32Array, columns: number): number {
  let [known, wrong] = [0, 0];
  labels.forEach((label, i) => {
    if (label < 0) return;
    known++;
    const row = probabilities.subarray(i * columns, (i + 1) * columns);
    if (row.some((p) => p > row[label]!)) wrong++;
  });
  return known === 0 ? 0 : wrong / known;
}

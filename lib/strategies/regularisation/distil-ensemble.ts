import { tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { excluded } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { oneHots } from "../parts/contrast.ts";
import { labelsLoss, softCrossEntropies, taughtShare } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, snapshot } from "../parts/snapshot.ts";
import { still } from "../parts/still.ts";
import { firstColumns, type Teacher, type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: { readonly [teacher: string]: TeacherTensors };
}

/** Two matrices with a rectifier between them. */
type Two = { readonly first: tf.Tensor2D; readonly second: tf.Tensor2D };

/**
 * Distillation from several trained networks into one.
 *
 * The loss is `(1 − weight) · CE + weight · T² · mean −Σ_c p_c log q_c`: q is the network's softmax at the temperature T, p what the teachers' at T come to.
 * Rows that other strategies have joined are learnt from their labels alone, and count by their number.
 *
 * - `combine: "mean"`: their mean. With `adversary` above 0 a small network is trained to tell p from the network's own probabilities (at T = 1), and the
 *   network to be taken for the teachers: that strength times both cross-entropies is added.
 * - `combine: "learnt"`: a small network looks at the teachers' probabilities and gives each a weight. It learns from the cross-entropy of the mixture with the
 *   label, and `balance` times the squared coefficient of variation of the mean weights of a batch keeps it from settling on one.
 * - `combine: "own"`: each teacher is a specialist, and is heard for examples of its own classes alone, over the columns of these. In place of one term there is the sum
 *   over them of `v · KL(p ‖ q)`, where `v = max(0, 1 − KL / pace)` counts as a number: who is far away still is heard little, and the more the nearer the network comes.
 *
 * Without teachers the network learns from itself as the run began.
 *
 * Implements: P393 MEAL V2
 * Shen and Savvides 2020, "MEAL V2", arXiv:2009.08453, section 3: `weight: 1`, `temperature: 1`, `adversary`.
 *
 * Implements: P451 Flexible multi-model integration
 * Kong et al. 2025, "Enabling flexible multi-LLM integration for scalable knowledge aggregation", arXiv:2505.23844, section 3: `combine: "learnt"`.
 *
 * Implements: P059 Knowledge Concentration
 * Gao et al. 2017, "Knowledge concentration: learning 100K object classifiers in a single CNN", arXiv:1711.07607, section 3: `combine: "own"`. Written from the
 * abstract: the form of the pace is ours, and the last layer is a plain one.
 *
 * Differs from the papers: one optimizer moves the network and the small ones; every teacher has a share, where theirs may drop those with low scores.
 *
 * @throws TypeError where a teacher and the stream have other classes; RangeError where their examples have other shapes.
 *
 * @example
 * ```ts
 * import { distilEnsemble } from "thalweg";
 * distilEnsemble({ teachers: [], weight: 1, temperature: 1, adversary: 0.1 }).spec.name; // "distilEnsemble"
 * ```
 */
export const distilEnsemble = strategy(
  "distilEnsemble",
  {
    /** The networks that are learnt from. */
    teachers: [] as readonly TrainedNetwork[],
    /** What logits are divided by. */
    temperature: 2,
    /** The share of the teachers in the loss, in [0, 1]; the labels have the rest. */
    weight: 0.5,
    /** How the teachers become one. */
    combine: "mean" as "mean" | "learnt" | "own",
    /** How far away a specialist is no longer heard, where each has its own classes. */
    pace: 4,
    /** Strength of the network that tells teachers and student apart; 0 makes none. */
    adversary: 0,
    /** Strength of what keeps learnt weights apart from a choice of one. */
    balance: 0.1,
    /** Hidden units of the small networks. */
    units: 32,
  },
  ({ teachers, temperature, weight, combine, pace, adversary, balance, units }) => {
    requireNumber("distilEnsemble", "temperature", temperature, 1e-6);
    requireNumber("distilEnsemble", "weight", weight, 0, 1);
    requireNumber("distilEnsemble", "adversary", adversary, 0);
    requireNumber("distilEnsemble", "balance", balance, 0);
    requireOneOf("distilEnsemble", "combine", combine, ["mean", "learnt", "own"]);
    requireNumber("distilEnsemble", "pace", pace, 1e-6);
    requireWhole("distilEnsemble", "units", units, 1);
    const given: readonly Teacher[] = teachers.map((teacher) => teacherOf("distilEnsemble", teacher));
    const count = Math.max(1, teachers.length);
    return {
      tokens: "its teachers say one class for an example, and sequences have one at each place",
      classes: true,
      parameters({ columns, rng }): Params {
        const drawn = (name: string, inputs: number, outputs: number): Two => ({
          first: rng.at(name, "first").normals([inputs, units], 0, Math.sqrt(2 / inputs)) as tf.Tensor2D,
          second: rng.at(name, "second").normals([units, outputs], 0, Math.sqrt(1 / units)) as tf.Tensor2D,
        });
        return {
          ...(combine === "learnt" && { selector: drawn("selector", count * columns, count) }),
          ...(adversary > 0 && { adversary: drawn("adversary", columns, 1) }),
        };
      },
      init(context): Memory {
        const own = (): TeacherTensors => ({ ...snapshot(context), open: tf.ones([1, context.columns]) });
        const all = given.length === 0 ? [own()] : given.map((teacher) => teacher.tensors(context));
        return { tensors: Object.fromEntries(all.map((tensors, i) => [`${i}`, tensors])) };
      },
      taskLoss: (_state, step) => labelsLoss(step, weight),
      loss({ tensors }, step) {
        const { x, y, task, logits } = currentRows(step);
        const columns = logits.shape[1]!;
        const own = (step.weights.added?.distilEnsemble ?? {}) as { selector?: Two; adversary?: Two };
        const said = Object.values(tensors).map((held, i) => {
          const z =
            given.length === 0
              ? recalled({ weights: held.weights, statistics: held.statistics ?? {} }, step, x, task).logits
              : given[i]!.logits(held, x);
          return widened(firstColumns(z, Math.min(columns, z.shape[1]!)), held.open, columns);
        });
        if (combine === "own") {
          const terms = Object.values(tensors).map(({ open }, i) => {
            const own = tf.pad(firstColumns(open, Math.min(columns, open.shape[1]!)), [
              [0, 0],
              [0, Math.max(0, columns - open.shape[1]!)],
            ]);
            const inside = tf.sum(tf.mul(oneHots(y, columns), own), -1);
            const apart = tf.sub(
              softCrossEntropies(logits, said[i]!, temperature, own),
              softCrossEntropies(said[i]!, said[i]!, temperature, own),
            );
            const far = tf.div(tf.sum(tf.mul(apart, inside)), tf.maximum(tf.sum(inside), 1));
            return tf.mul(far, tf.relu(tf.sub(1, tf.div(still(far), pace))));
          });
          return tf.mul(tf.addN(terms), taughtShare(step, weight) * temperature ** 2) as tf.Scalar;
        }
        const cool = (z: tf.Tensor, t: number): tf.Tensor => tf.softmax(tf.div(z, t));
        const soft = said.map((z) => cool(z, temperature));
        const fused = combine === "mean" ? mixed(soft, null) : null;
        let [wanted, extra] = [fused ?? soft[0]!, tf.scalar(0) as tf.Tensor];
        if (combine === "learnt") {
          const plain = said.map((z) => cool(z, 1));
          const scores = tf.softmax(through(tf.concat(plain, 1), padded(own.selector!, count, columns)));
          const right = tf.sum(tf.mul(mixed(plain, scores), oneHots(y, columns)), -1);
          const labelled = tf.cast(tf.greaterEqual(y, 0), "float32");
          const each = tf.mul(tf.neg(tf.log(tf.add(right, 1e-7))), labelled);
          const mean = tf.mean(scores, 0);
          const variation = tf.mul(tf.mean(tf.square(tf.sub(mean, 1 / count))), count * count);
          extra = tf.add(tf.div(tf.sum(each), tf.maximum(tf.sum(labelled), 1)), tf.mul(variation, balance));
          wanted = still(mixed(soft, scores));
        }
        const log = tf.logSoftmax(tf.div(logits, temperature));
        const apart = tf.neg(tf.mean(tf.sum(tf.mul(wanted, log), -1)));
        let total = tf.add(tf.mul(apart, taughtShare(step, weight) * temperature ** 2), extra);
        if (own.adversary !== undefined) {
          const judge = padded(own.adversary, 1, columns);
          const [student, teacher] = [
            tf.softmax(logits),
            mixed(
              said.map((z) => cool(z, 1)),
              null,
            ),
          ];
          const blind = { first: still(judge.first), second: still(judge.second) };
          // log σ(z) is −softplus(−z)
          const told = tf.add(
            tf.add(tf.softplus(tf.neg(through(teacher, judge))), tf.softplus(through(still(student), judge))),
            tf.softplus(tf.neg(through(student, blind))),
          );
          total = tf.add(total, tf.mul(tf.mean(told), adversary));
        }
        return total as tf.Scalar;
      },
    };
  },
);

/** Logits over all columns, those that a teacher has not learnt being excluded. */
function widened(logits: tf.Tensor, open: tf.Tensor, columns: number): tf.Tensor {
  const own = tf.add(logits, tf.mul(tf.sub(1, firstColumns(open, logits.shape[1]!)), excluded));
  const missing = columns - own.shape[1]!;
  return missing === 0
    ? own
    : tf.pad(
        own,
        [
          [0, 0],
          [0, missing],
        ],
        excluded,
      );
}

/** The mean of some probabilities, or their mean weighed row by row. */
function mixed(parts: readonly tf.Tensor[], weights: tf.Tensor | null): tf.Tensor {
  if (weights === null) return tf.div(tf.addN([...parts]), parts.length);
  const own = tf.split(weights, parts.length, 1);
  return tf.addN(parts.map((part, i) => tf.mul(part, own[i]!)));
}

function through(x: tf.Tensor, { first, second }: Two): tf.Tensor {
  return tf.matMul(tf.relu(tf.matMul(x as tf.Tensor2D, first)) as tf.Tensor2D, second);
}

/** The matrices for as many columns as there are now: a head may have grown since they were drawn, and what is new counts for nothing yet. */
function padded({ first, second }: Two, blocks: number, columns: number): Two {
  const had = first.shape[0] / blocks;
  if (had === columns) return { first, second };
  const parts = tf.split(first, blocks).map((part) =>
    tf.pad(part, [
      [0, columns - had],
      [0, 0],
    ]),
  );
  return { first: tf.concat(parts, 0) as tf.Tensor2D, second };
}

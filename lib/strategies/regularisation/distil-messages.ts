import { tf } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { meanSquares } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { snapshot } from "../parts/snapshot.ts";
import { type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: TeacherTensors;
}

/** What turns the states of a network into messages and messages into its states. A type, not an interface, so that it is a tree of tensors. */
type Speech = { readonly encoder: tf.Tensor2D; readonly decoder: tf.Tensor2D };

/**
 * Distillation by talking: a network and its teacher turn what they hold into messages of one language, and answer each other.
 *
 * Each of the two has an encoder from its last hidden state (what its head gets) to a message of `units` numbers, and a decoder from a message to a state of
 * its own; for the teacher this is what comes into its last dense layer, so that it can think further about what it was told. All four are linear and
 * trained; the teacher stays as it is. With s the network's state, t the teacher's, U the teacher's layers behind its decoder, there are added to the task's loss
 *
 * - `answer` times the cross-entropy of what the network's head makes of the decoded answer: `head(D_s E_t U(D_t E_s s))`;
 * - `agree` times the mean squared difference of the messages that the two have for the same example: `E_s s` and `E_t t`;
 * - `keep` times those of what a message leaves of a state: `D_s E_s s` and s, and `U(D_t E_t t)` and t.
 *
 * Only the task's part needs labels. Once trained the network predicts alone. Without a teacher it talks to itself as the run began.
 *
 * Implements: P330 Talking Models
 * Zhao et al. 2023, "Talking models: distill pre-trained knowledge to downstream models via interactive communication", arXiv:2310.03188.
 * Written from the abstract and accounts of it, which have the three terms (interaction, consistency of messages, consistency of states) and a teacher that thinks on from a
 * lower hidden state to a higher one: which states are encoded, that one message goes each way, and the terms' strengths are ours.
 *
 * @throws TypeError where features are no vector, or a teacher has other classes; RangeError where its examples have other shapes.
 *
 * @example
 * ```ts
 * import { classes, digits, distilMessages, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   teacher: stream.learn(mlp({ hidden: [64, 64] })),
 *   student: (teacher) => stream.learn(mlp({ hidden: [8] })).by(distilMessages({ teacher, units: 16 })),
 * });
 * ```
 */
export const distilMessages = strategy(
  "distilMessages",
  {
    /** The network that is talked to; null stands for the network itself as the run begins. */
    teacher: null as TrainedNetwork | null,
    /** Numbers of a message. */
    units: 32,
    /** Strength of what is asked of the teacher's answer. */
    answer: 1,
    /** Strength of the agreement of messages. */
    agree: 1,
    /** Strength of what keeps states in messages. */
    keep: 1,
  },
  ({ teacher, units, answer, agree, keep }) => {
    requireWhole("distilMessages", "units", units, 1);
    requireNumber("distilMessages", "answer", answer, 0);
    requireNumber("distilMessages", "agree", agree, 0);
    requireNumber("distilMessages", "keep", keep, 0);
    const given = teacher === null ? null : teacherOf("distilMessages", teacher);
    const widthOf = ({ width }: Network): number => {
      if (width.length === 1) return width[0]!;
      throw new TypeError(`distilMessages: features that are a vector are required, got shape [${width}]`);
    };
    return {
      tokens: "its states are one vector for an example, and sequences have one at each place",
      classes: true,
      parameters({ network, weights, statistics, rng }): Params {
        const [own, other] = [widthOf(network), widthOf(teacher?.structure ?? network)];
        const listener =
          teacher === null
            ? entryOf(network, weights, statistics)
            : entryOf(teacher.structure, teacher.weights, teacher.statistics);
        const drawn = (name: string, inputs: number, outputs: number): Speech => ({
          encoder: rng.at(name, "encoder").normals([inputs, units], 0, Math.sqrt(1 / inputs)) as tf.Tensor2D,
          decoder: rng.at(name, "decoder").normals([units, outputs], 0, Math.sqrt(1 / units)) as tf.Tensor2D,
        });
        return { own: drawn("own", own, own), teacher: drawn("teacher", other, listener?.width ?? other) };
      },
      init(context): Memory {
        const own = (): TeacherTensors => ({ ...snapshot(context), open: tf.ones([1, context.columns]) });
        return { tensors: given === null ? own() : given.tensors(context) };
      },
      loss({ tensors }, step) {
        const { x, y, task, mask, weight, targets, features: s } = currentRows(step);
        const { weights, statistics = {} } = tensors;
        const through = (within: Within): tf.Tensor =>
          given === null
            ? step.forward(x, { weights, frozen: statistics, task, ...within }).features
            : given.features(tensors, x, within);
        const { own, teacher: other } = step.weights.added!.distilMessages as { own: Speech; teacher: Speech };
        const listener = entryOf(teacher?.structure ?? step.network, weights, statistics);
        const times = (rows: tf.Tensor, matrix: tf.Tensor2D): tf.Tensor => tf.matMul(rows as tf.Tensor2D, matrix);
        /** What the teacher comes to when it is told a message. */
        const told = (message: tf.Tensor): tf.Tensor => {
          const state = times(message, other.decoder);
          if (listener === null) return state;
          return through({ around: (path, rows, run) => run(path.join("/") === listener.path ? state : rows) });
        };
        const t = through({});
        const [mine, theirs] = [times(s, own.encoder), times(t, other.encoder)];
        const heard = times(times(told(mine), other.encoder), own.decoder);
        const logits = step.network.logits(step.weights, heard);
        const terms = [
          tf.mul(step.targetLoss({ logits, y, targets, mask, weight }), answer),
          tf.mul(meanSquares(mine, theirs), agree),
          tf.mul(tf.add(meanSquares(times(mine, own.decoder), s), meanSquares(told(theirs), t)), keep),
        ];
        return tf.addN(terms) as tf.Scalar;
      },
    };
  },
);

/** The last dense layer of a model: where it lies and how many numbers come into it; null where it has none. */
function entryOf(
  network: Network,
  weights: Weights,
  statistics: Params,
): { readonly path: string; readonly width: number } | null {
  let found: { path: string; width: number } | null = null;
  tf.tidy(() => {
    const { mode } = tape(false, null, statistics, (path, input, output) => {
      if (input.rank === 2) found = { path: path.join("/"), width: input.shape[1]! };
      return output;
    });
    network.features(weights, tf.zeros([1, ...network.input]), mode);
  });
  return found;
}

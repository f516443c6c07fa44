import { type Examples, gather, sizeOf, table } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import { tf } from "../../engine/index.ts";
import { excluded, masked } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { moved } from "../../optim/parts/images.ts";
import { probabilitiesOf } from "../parts/acquisitions.ts";
import { withExtra } from "../parts/buffer.ts";
import { labelsLoss, softCrossEntropies, taughtShare } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { readingOf } from "../parts/teacher.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  /** New examples of the round, row after row, and their labels. */
  readonly added: Float32Array;
  readonly labels: Int32Array;
  /** `[examples of the round and new ones, columns]`: the logits that each is learnt from. */
  readonly said: Float32Array | null;
}

/** What a judge makes of two answers to each example of a table. */
interface Judged {
  /** `[n, columns]`: the logits of the better answer. */
  readonly said: Float32Array;
  /** How much more probability the teacher gave to what is right. */
  readonly ahead: Float32Array;
}

/**
 * Distillation in rounds: teacher and network compete for each example's answer, the better one is learnt from, and where the network is far behind it gets
 * more examples of the kind.
 *
 * An experience is a round (`stream.repeat(4)`). The first is distillation from the teacher. Before every other both answer all examples, and a judge scores answers by
 * the probability of the label (of the most probable class where an example has none). Where the teacher is ahead by more than `threshold` the example is difficult, and `copies` new ones are made of it,
 * moved by up to `shiftPixels` and with noise of deviation `noise`, which are answered and judged as well. The round learns the old and the new by
 * `(1 − weight) · CE + weight · T² · mean −Σ_c p_c log q_c`, with p the better answer and q the network's at temperature T. Without a teacher the network's own answers, as
 * they are before a round, are learnt from.
 *
 * Implements: P297 CoMD competitive distillation
 * Li et al. 2023, "Unlock the power: competitive distillation for multi-modal large language models", arXiv:2311.08213.
 * Written from the abstract and summaries of the paper. Chosen here: the judge is the label's probability, where there a language model compares texts; new examples are old ones that are
 * disturbed, where there a language model writes new instructions; new examples serve one round.
 *
 * @throws RangeError where the teacher is for examples of another shape, or an example that is no image is to be moved.
 *
 * @example
 * ```ts
 * import { classes, digits, distilCompetitive, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   teacher: stream.learn(mlp({ hidden: [64] })),
 *   student: (teacher) => stream.repeat(4).learn(mlp({ hidden: [16] })).by(distilCompetitive({ teacher })),
 * });
 * ```
 */
export const distilCompetitive = strategy(
  "distilCompetitive",
  {
    /** The network that competes; null: none. */
    teacher: null as TrainedNetwork | null,
    /** By how much probability the teacher must be ahead for an example to be difficult. */
    threshold: 0.1,
    /** New examples made of each that is difficult. */
    copies: 2,
    /** The deviation of the noise on new examples. */
    noise: 0.1,
    /** How far new examples are moved, where they are images. */
    shiftPixels: 0,
    /** The share of the better answers in the loss; the labels have the rest. */
    weight: 0.5,
    /** What logits are divided by. */
    temperature: 2,
  },
  ({ teacher, threshold, copies, noise, shiftPixels, weight, temperature }) => {
    requireNumber("distilCompetitive", "threshold", threshold, 0, 1);
    requireWhole("distilCompetitive", "copies", copies, 0);
    requireNumber("distilCompetitive", "noise", noise, 0);
    requireWhole("distilCompetitive", "shiftPixels", shiftPixels, 0);
    requireNumber("distilCompetitive", "weight", weight, 0, 1);
    requireNumber("distilCompetitive", "temperature", temperature, 1e-6);
    const asked = (examples: Examples, columns: number): Float32Array | null => {
      if (teacher === null) return null;
      const { logits, columns: own } = readingOf(teacher, examples);
      const rows = new Float32Array(examples.length * columns).fill(excluded);
      for (let i = 0; i < examples.length; i++)
        own.forEach((column, c) => {
          if (column < columns) rows[i * columns + column] = logits[i * own.length + c]!;
        });
      return rows;
    };
    return {
      tokens: "an answer is judged as a whole, and a sequence has a class at each place",
      classes: true,
      init: (): Memory => ({ added: new Float32Array(0), labels: new Int32Array(0), said: null }),
      beforeExperience(_before: Memory, { train, task, index }, context: Context): Memory {
        const { columns } = context;
        if (shiftPixels > 0 && train.shape.length !== 3)
          throw new RangeError(
            `distilCompetitive: images are required to be moved by shiftPixels ${shiftPixels}, got shape [${train.shape}]; set it to 0`,
          );
        const open = context.mask(Int32Array.of(task))?.data ?? null;
        const judge = (examples: Examples): Judged =>
          betterAnswers(context.outputs(examples).logits, asked(examples, columns), examples.labels, open, columns);
        if (index === 0) {
          const said = asked(train, columns) ?? context.outputs(train).logits;
          return { added: new Float32Array(0), labels: new Int32Array(0), said };
        }
        const first = judge(train);
        const difficult = [...first.ahead.keys()].filter((i) => first.ahead[i]! > threshold);
        const from = Uint32Array.from(difficult.flatMap((i) => Array<number>(copies).fill(i)));
        const added = disturbed(gather(train, from), train.shape, noise, shiftPixels, context.rng.at("new", index));
        const labels = Int32Array.from(from, (i) => train.labels[i]!);
        if (from.length === 0) return { added, labels, said: first.said };
        const second = judge(table(added, labels, train.shape, 1));
        const said = new Float32Array(first.said.length + second.said.length);
        said.set(first.said);
        said.set(second.said, first.said.length);
        return { added, labels, said };
      },
      data({ added, labels }: Memory, { train }) {
        if (labels.length === 0) return train;
        const old = gather(
          train,
          Uint32Array.from({ length: train.length }, (_, i) => i),
        );
        const x = new Float32Array(old.length + added.length);
        x.set(old);
        x.set(added, old.length);
        return table(x, Int32Array.from([...train.labels, ...labels]), train.shape, 1);
      },
      batch({ said }: Memory, batch, { columns }) {
        if (said === null) return batch;
        const rows = new Float32Array(batch.current * columns);
        for (let i = 0; i < batch.current; i++)
          rows.set(said.subarray(batch.at[i]! * columns, (batch.at[i]! + 1) * columns), i * columns);
        return withExtra(batch, "distilCompetitive", { said: { data: rows, shape: [batch.current, columns] } });
      },
      taskLoss: (_state, step) => labelsLoss(step, weight),
      loss(_state, step) {
        const { said } = step.extra;
        if (said === undefined) return tf.scalar(0);
        const { logits, mask } = currentRows(step);
        const each = softCrossEntropies(masked(logits, mask), masked(said, mask), temperature);
        return tf.mul(tf.mean(each), taughtShare(step, weight) * temperature ** 2) as tf.Scalar;
      },
    };
  },
);

/** Of each row the logits of whoever gives what is right more probability, the teacher where both give as much. */
export function betterAnswers(
  own: Float32Array,
  taught: Float32Array | null,
  labels: Int32Array,
  open: ArrayLike<number> | null,
  columns: number,
): Judged {
  const said = own.slice();
  const ahead = new Float32Array(labels.length);
  if (taught === null) return { said, ahead };
  const [p, q] = [probabilitiesOf(taught, columns, open), probabilitiesOf(own, columns, open)];
  for (let i = 0; i < labels.length; i++) {
    const [from, to] = [i * columns, (i + 1) * columns];
    const score = (of: Float32Array): number =>
      labels[i]! >= 0 ? of[from + labels[i]!]! : Math.max(...of.subarray(from, to));
    ahead[i] = score(p) - score(q);
    if (ahead[i]! >= 0) said.set(taught.subarray(from, to), from);
  }
  return { said, ahead };
}

/** Examples with noise, images moved before. */
function disturbed(x: Float32Array, shape: Examples["shape"], noise: number, shift: number, rng: Rng): Float32Array {
  const size = sizeOf(shape);
  const out = x.slice();
  for (let from = 0; from < x.length; from += size) {
    const own = rng.at(from / size);
    if (shift > 0) {
      const [down, right] = [own.int(2 * shift + 1) - shift, own.int(2 * shift + 1) - shift];
      moved(x.subarray(from, from + size), out.subarray(from, from + size), shape, down, right);
    }
    if (noise > 0) for (let i = from; i < from + size; i++) out[i]! += noise * own.normal();
  }
  return out;
}

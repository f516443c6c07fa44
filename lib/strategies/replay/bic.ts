import { joined, select } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import { fitBias } from "../parts/bias.ts";
import { oldColumns, softCrossEntropies } from "../parts/distillation.ts";
import { blanks, type Exemplars, exemplarTable, shareOfOld, unmet, withExperience } from "../parts/exemplars.ts";
import { recalled, type Snapshot, snapshot, widenedTo } from "../parts/snapshot.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly exemplars: Exemplars | null;
  /** Scale and shift of each column, once they are learnt. */
  readonly scale: Float32Array;
  readonly shift: Float32Array;
  readonly tensors: {
    readonly teacher?: Snapshot;
    readonly old?: tf.Tensor;
    readonly share?: tf.Tensor;
    readonly scale: tf.Tensor;
    readonly shift: tf.Tensor;
  };
}

/**
 * Bias correction: exemplars and distillation, then two numbers that undo the head's preference for the newest classes.
 *
 * Trains on the experience's examples and exemplars with `(1 − s) · CE + s · KD`, s the share of old classes and KD the softened
 * cross-entropy to the corrected logits before the experience. Of exemplars and new examples a balanced part is held out; on it the logits
 * of new columns become `scale · logit + shift` with the least cross-entropy. Corrected logits predict.
 *
 * Wu et al. 2019, arXiv:1905.13260, eq. 1–5.
 * Differs from the paper: the two numbers are found by Newton's method rather than by further epochs; exemplars are drawn at random.
 *
 * @example
 * ```ts
 * import { bic } from "thalweg";
 * bic({ capacity: 2000, heldOut: 0.1 });
 * ```
 */
export const bic = strategy(
  "bic",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** Share of the exemplars of each class that is held out, in (0, 1). */
    heldOut: 0.1,
    /** What logits are divided by in the distillation. */
    temperature: 2,
  },
  ({ capacity, heldOut, temperature }) => {
    requireWhole("bic", "capacity", capacity, 1);
    requireNumber("bic", "heldOut", heldOut, 1e-3, 0.999);
    requireNumber("bic", "temperature", temperature, 1e-6);
    const held = (exemplars: Exemplars, index: number, context: Context): { train: Table; test: Table } => {
      const all = exemplarTable(exemplars);
      const { train } = context.stream.experience(index);
      const rng = context.rng.at("hold out", index);
      const perClass = Math.max(1, Math.round((heldOut * capacity) / Math.max(1, exemplars.classes.size)));
      const [a, b] = [cut(all, perClass, rng.at("old")), cut(train, perClass, rng.at("new"))];
      return { train: joined([b.rest, a.rest]), test: joined([b.part, a.part]) };
    };
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: ({ columns }): Memory => ({
        exemplars: null,
        scale: new Float32Array(columns).fill(1),
        shift: new Float32Array(columns),
        tensors: corrections(new Float32Array(columns).fill(1), new Float32Array(columns)),
      }),
      beforeExperience({ exemplars, ...before }: Memory, { index, classes }, context): Memory {
        const { columns } = context;
        const scale = Float32Array.from({ length: columns }, (_, c) => before.scale[c] ?? 1);
        const shift = Float32Array.from({ length: columns }, (_, c) => before.shift[c] ?? 0);
        const old = oldColumns(context, index);
        const tensors = corrections(scale, shift);
        if (old === null) return { exemplars, scale, shift, tensors };
        const share = tf.scalar(shareOfOld(exemplars, classes));
        return { exemplars, scale, shift, tensors: { ...tensors, teacher: snapshot(context), old, share } };
      },
      batch: tasksByColumn,
      data: ({ exemplars }: Memory, { train, index }, context) =>
        exemplars === null ? train : held(exemplars, index, context).train,
      taskLoss({ tensors }, step) {
        const labels = step.crossEntropy(step.logits, step.y, step.mask, step.weight);
        return tensors.share === undefined ? labels : (tf.mul(labels, tf.sub(1, tensors.share)) as tf.Scalar);
      },
      loss({ tensors }, step) {
        if (tensors.teacher === undefined) return tf.scalar(0);
        const { logits, x, task } = step;
        const before = widenedTo(recalled(tensors.teacher, step, x, task).logits, logits.shape[1]!);
        const corrected = tf.add(tf.mul(before, tensors.scale), tensors.shift);
        const kept = tf.mean(softCrossEntropies(logits, corrected, temperature, tensors.old!));
        return tf.mul(kept, tensors.share!) as tf.Scalar;
      },
      afterExperience({ exemplars, scale, shift, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, "random", context);
        const fresh = unmet(exemplars, classes);
        if (exemplars === null || fresh.length === 0)
          return { exemplars: next, scale, shift, tensors, notes: blanks(next) };
        const { test } = held(exemplars, index, context);
        const open = [...exemplars.classes.keys(), ...fresh];
        const found = fitBias(context.outputs(test).logits, test.labels, context.columns, open, fresh);
        const [scales, shifts] = [scale.slice(), shift.slice()];
        for (const column of fresh) [scales[column], shifts[column]] = [found.scale, found.shift];
        return {
          exemplars: next,
          scale: scales,
          shift: shifts,
          tensors: corrections(scales, shifts),
          notes: blanks(next),
        };
      },
      rowwise: true,
      predict: ({ tensors }: Partial<Memory>, { logits }) =>
        tensors === undefined || tensors.scale.shape[0] !== logits.shape[1]
          ? logits
          : tf.add(tf.mul(logits, tensors.scale), tensors.shift),
    };
  },
  ["boundary", "labels"],
);

type Table = ReturnType<typeof exemplarTable>;

function corrections(scale: Float32Array, shift: Float32Array): { scale: tf.Tensor; shift: tf.Tensor } {
  return { scale: tf.tensor1d(scale), shift: tf.tensor1d(shift) };
}

/** A table without `count` examples of each class drawn at random, and those; a class keeps at least one. */
function cut(all: Table, count: number, rng: Context["rng"]): { part: Table; rest: Table } {
  const left = new Map<number, number>();
  for (const label of all.labels) left.set(label, (left.get(label) ?? 0) + 1);
  for (const [label, n] of left) left.set(label, Math.min(count, n - 1));
  const part: number[] = [];
  const rest: number[] = [];
  for (const row of rng.permutation(all.length)) {
    const label = all.labels[row]!;
    const more = left.get(label)!;
    left.set(label, more - 1);
    (more > 0 ? part : rest).push(row);
  }
  return { part: select(all, Uint32Array.from(part).sort()), rest: select(all, Uint32Array.from(rest).sort()) };
}

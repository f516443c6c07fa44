import { type Examples, gather, sizeOf, table } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import { tf } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { mirrored, moved } from "../../optim/parts/images.ts";
import { probabilitiesOf } from "../parts/acquisitions.ts";
import { withExtra } from "../parts/buffer.ts";
import { labelsLoss, taughtShare } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { readingOf } from "../parts/teacher.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What the teacher said of every view of every example: its most probable columns and their probabilities, view after view. */
interface Said {
  /** The columns that compete for the experience: the others have no probability. */
  readonly open: readonly number[];
  readonly columns: Uint16Array;
  readonly probabilities: Float32Array;
  /** How many times each example was trained on; the next view is taken from it. */
  readonly seen: Uint32Array;
}

interface Memory {
  readonly said: Said | null;
}

/**
 * Distillation from answers that were stored: a teacher is asked once about a few views of every example, before training, and never in a step.
 *
 * Of each of `views` views, which are moved by up to `pad` pixels and mirrored with probability `flip`, the `top` largest probabilities are kept, what is left is
 * spread over the other columns, both among those that compete for the experience; how a view is made follows from the seed, the example and its number, so that it is made again and not kept. An
 * example that is trained on for the k-th time is seen in the view k modulo `views`. The loss is `(1 − weight) · CE + weight · mean −Σ_c p_c log q_c`; rows that
 * other strategies have joined are learnt from their labels alone, and count by their number. Without a
 * teacher the network's own answers on the experience's arrival are stored.
 *
 * Implements: P395 TinyViT
 * Wu et al. 2022, "TinyViT: fast pretraining distillation for small vision transformers", arXiv:2207.10666, section 3.1.
 * Differs from the paper: answers lie in the run's state, which is saved with it, and not in files of their own; views are moved and mirrored only; the small
 * transformer itself is any model.
 *
 * @example
 * ```ts
 * import { classes, digits, distilStored, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(1);
 * phases({
 *   teacher: stream.learn(mlp({ hidden: [64] })),
 *   student: (teacher) => stream.learn(mlp({ hidden: [8] })).by(distilStored({ teacher, top: 3, views: 4, pad: 1 })),
 * });
 * ```
 */
export const distilStored = strategy(
  "distilStored",
  {
    /** The network that is asked. */
    teacher: null as TrainedNetwork | null,
    /** Probabilities that are kept of an answer. */
    top: 3,
    /** Views of each example that are asked about. */
    views: 1,
    /** Pixels that a view may be moved by, either way. */
    pad: 0,
    /** The share of views that is mirrored. */
    flip: 0,
    /** What the teacher's logits are divided by. */
    temperature: 1,
    /** The share of the teacher in the loss, in [0, 1]; the labels have the rest. */
    weight: 1,
  },
  ({ teacher, top, views, pad, flip, temperature, weight }) => {
    requireWhole("distilStored", "top", top, 1);
    requireWhole("distilStored", "views", views, 1);
    requireWhole("distilStored", "pad", pad, 0);
    requireNumber("distilStored", "flip", flip, 0, 1);
    requireNumber("distilStored", "temperature", temperature, 1e-6);
    requireNumber("distilStored", "weight", weight, 0, 1);

    /** An example as a view of it is seen. */
    function seen(
      row: Float32Array,
      out: Float32Array,
      shape: Examples["shape"],
      example: number,
      view: number,
      rng: Rng,
    ): void {
      out.set(row);
      if (pad === 0 && flip === 0) return;
      const own = rng.at("view", view, example);
      moved(row, out, shape as never, own.int(2 * pad + 1) - pad, own.int(2 * pad + 1) - pad);
      if (own.uniform() < flip) mirrored(out, shape as never);
    }

    return {
      tokens: "its answers are one for an example, and sequences have one at each place",
      classes: true,
      init: (): Memory => ({ said: null }),
      beforeExperience(_before: Memory, { train, index, task }, { columns, outputs, mask, rng }): Memory {
        const [n, size] = [train.length, sizeOf(train.shape)];
        if ((pad > 0 || flip > 0) && train.shape.length !== 3)
          throw new TypeError(`distilStored: images are required to move or mirror them, got shape [${train.shape}]`);
        const competing = mask(Int32Array.of(task))?.data;
        const open = Array.from({ length: columns }, (_, c) => c).filter((c) => competing?.[c] !== 0);
        const kept = Math.min(top, open.length);
        const said: Said = {
          open,
          columns: new Uint16Array(views * n * kept),
          probabilities: new Float32Array(views * n * kept),
          seen: new Uint32Array(n),
        };
        const all = gather(
          train,
          Uint32Array.from({ length: n }, (_, i) => i),
        );
        const own = rng.at("views", index);
        for (let view = 0; view < views; view++) {
          const x = new Float32Array(all.length);
          for (let i = 0; i < n; i++) {
            const [from, to] = [i * size, (i + 1) * size];
            seen(all.subarray(from, to), x.subarray(from, to), train.shape, i, view, own);
          }
          const shown = table(x, train.labels, train.shape, 1);
          const read = teacher === null ? null : readingOf(teacher, shown);
          const logits = read?.logits ?? outputs(shown).logits;
          const names = read?.columns ?? Array.from({ length: columns }, (_, c) => c);
          const asked = names.map((c) => +open.includes(c));
          if (!asked.includes(1))
            throw new TypeError(
              `distilStored: a teacher of classes of experience ${index} is required, got one of the columns ${names.join(", ")} and not ${open.join(", ")}`,
            );
          const p = probabilitiesOf(
            logits.map((z) => z / temperature),
            names.length,
            asked,
          );
          for (let i = 0; i < n; i++) {
            const row = p.subarray(i * names.length, (i + 1) * names.length);
            const best = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b).slice(0, kept);
            best.forEach((c, k) => {
              said.columns[(view * n + i) * kept + k] = names[c]!;
              said.probabilities[(view * n + i) * kept + k] = row[c]!;
            });
          }
        }
        return { said };
      },
      batch({ said }: Memory, batch, { columns, experience, rng }) {
        if (said === null) return batch;
        const { shape } = batch.from;
        const [n, size, rows] = [said.seen.length, sizeOf(shape), batch.current];
        const kept = said.columns.length / n / views;
        const own = rng.at("views", experience);
        const raw = gather(batch.from, batch.at.subarray(0, rows));
        const x = batch.x.slice();
        const wanted = new Float32Array(rows * columns);
        for (let row = 0; row < rows; row++) {
          const example = batch.at[row]!;
          const view = said.seen[example]!++ % views;
          const [from, to] = [row * size, (row + 1) * size];
          seen(raw.subarray(from, to), x.subarray(from, to), shape, example, view, own);
          wanted.set(dense(said, (view * n + example) * kept, kept, columns), row * columns);
        }
        const extra = { wanted: { data: wanted, shape: [rows, columns] } };
        return withExtra({ ...batch, x }, "distilStored", extra);
      },
      taskLoss: (_state, step) => labelsLoss(step, weight),
      loss(_state, step) {
        const { wanted } = step.extra;
        if (wanted === undefined) return tf.scalar(0);
        const { logits, mask } = currentRows(step);
        const each = tf.neg(tf.sum(tf.mul(wanted, tf.logSoftmax(masked(logits, mask))), -1));
        return tf.mul(tf.mean(each), taughtShare(step, weight)) as tf.Scalar;
      },
    };
  },
);

/** An answer over all columns: the probabilities that were kept, and what is left in equal parts on the others that compete. */
function dense(
  { open, columns: names, probabilities }: Said,
  from: number,
  kept: number,
  columns: number,
): Float32Array {
  const own = probabilities.subarray(from, from + kept).filter((p) => p > 0);
  const left = Math.max(0, 1 - own.reduce((sum, p) => sum + p, 0));
  const out = new Float32Array(columns);
  if (own.length < open.length) for (const c of open) out[c] = left / (open.length - own.length);
  own.forEach((p, k) => {
    out[names[from + k]!] = p;
  });
  return out;
}

import { joined, select, sizeOf } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import type { Experience } from "../../streams/stream.ts";
import { type AcquisitionName, acquisitions, highest, probabilitiesOf } from "../parts/acquisitions.ts";
import { asTable, type Buffer, emptyBuffer, recall, withExtra, withRows } from "../parts/buffer.ts";
import { meanSquares } from "../parts/distillation.ts";
import { unitRows } from "../parts/exemplars.ts";
import { dropped } from "../parts/forgetting.ts";
import { joinedRows } from "../parts/rows.ts";
import { typicalAndUncertain } from "../parts/typical.ts";
import { type Context, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** What the network said of what was bought, when the round began. */
interface Said {
  readonly logits: Float32Array;
  /** Rows of length 1. */
  readonly features: Float32Array;
  readonly entropy: Float64Array;
}

interface Memory {
  /** All that was labelled in earlier rounds. */
  readonly past: Buffer | null;
  readonly said: Said | null;
  /** What is labelled in this round: positions in the table, and labels. */
  readonly at: Uint32Array;
  readonly labels: Int32Array;
  /** Positions in the one pool that were asked for. */
  readonly asked: ReadonlySet<number>;
  /** The share of this round in all that is labelled. */
  readonly tensors: { readonly share: tf.Scalar };
}

/**
 * Continual active learning: each round of questions trains on what it has bought, and replays what was bought before, in place of training anew on all.
 *
 * On the arrival of an experience of an `active` stream the labels of the examples that promise most are asked for, as `acquire` does; with `pool: "one"`
 * all experiences are the same examples (`stream.repeat(10).active(40)`), and none is asked for twice. The network goes on from where it was. With n of the
 * N labels so far bought in this round the loss is `λ · CE + (1 − λ) · ((1 − distil) · CE of the past + distil · mean (z − z₀)²)`, λ = n/N, over rows drawn
 * from all that was bought before, z₀ being the logits when the round began. Memory and work grow with what is bought. `past: "all"` trains on all that is labelled
 * (with `fromScratch` the usual active learning), `past: "none"` on the round alone. Streams that tell their labels are learnt as they are.
 *
 * Implements: P201 CAL (Continual Active Learning)
 * Das et al. 2023, "Accelerating batch active learning using continual learning techniques", arXiv:2305.06408: with `distil: 0` experience replay, else
 * scaled distillation; `prefer: "diverse"` for its submodular form, which prefers rows that stand for others and were uncertain.
 * Differs from the paper: features and entropies by which rows are drawn are those at the beginning of the round; a round has as many steps as
 * the study says, where theirs ends at an accuracy.
 *
 * @example
 * ```ts
 * import { cal, classes, digits, mlp } from "thalweg";
 * classes(digits()).repeat(8).active(40).learn(mlp()).by(cal({ by: "margin", pool: "one" })).name; // "cal"
 * ```
 */
export const cal = strategy(
  "cal",
  {
    /** What is asked for first: see `acquire`. */
    by: "entropy" as AcquisitionName,
    /** Labels asked for in each experience at most; 0 asks for as many as the stream allows. */
    labels: 0,
    /** Whether each experience has examples of its own, or all are the same ones. */
    pool: "each" as "each" | "one",
    /** What is done with what was bought before. */
    past: "replay" as "replay" | "all" | "none",
    /** Rows of the past in each step; 0 draws as many as the batch has. */
    draw: 0,
    /** How they are drawn: at random, or the most typical and uncertain of `candidates`. */
    prefer: "random" as "random" | "diverse",
    /** Random rows among which the diverse ones are chosen. */
    candidates: 64,
    /** The share of the distance between logits in what is asked of the past, in [0, 1]; its labels have the rest. */
    distil: 0.5,
  },
  ({ by, labels, pool, past, draw, prefer, candidates, distil }) => {
    requireOneOf("cal", "by", by, Object.keys(acquisitions));
    requireOneOf("cal", "pool", pool, ["each", "one"]);
    requireOneOf("cal", "past", past, ["replay", "all", "none"]);
    requireOneOf("cal", "prefer", prefer, ["random", "diverse"]);
    requireWhole("cal", "labels", labels, 0);
    requireWhole("cal", "draw", draw, 0);
    requireWhole("cal", "candidates", candidates, 1);
    requireNumber("cal", "distil", distil, 0, 1);

    /** What is learnt of an experience's table: what is asked for, or all that has a label. */
    function bought(
      asked: ReadonlySet<number>,
      { train, task, index, oracle }: Experience,
      { columns, mask, outputs, rng }: Context,
    ): Pick<Memory, "at" | "labels"> {
      if (oracle === undefined) {
        const at = Uint32Array.from([...train.labels.keys()].filter((i) => train.labels[i]! >= 0));
        return { at, labels: Int32Array.from(at, (i) => train.labels[i]!) };
      }
      const open = mask(Int32Array.of(task))?.data ?? null;
      const logits = by === "random" ? new Float32Array(train.length * columns) : outputs(train).logits;
      const scores = acquisitions[by](probabilitiesOf(logits, columns, open), columns, rng.at("ask", index));
      if (pool === "one") for (const i of asked) scores[i] = Number.NEGATIVE_INFINITY;
      const left = pool === "one" ? train.length - asked.size : train.length;
      const at = highest(scores, Math.min(labels || oracle.left, oracle.left, left)).sort();
      return { at, labels: oracle.ask(at) };
    }

    return {
      tokens: "no stream of tokens sells its labels",
      classes: true,
      init: (): Memory => ({
        past: null,
        said: null,
        at: new Uint32Array(0),
        labels: new Int32Array(0),
        asked: new Set(),
        tensors: { share: tf.scalar(1) },
      }),
      forget(memory: Memory, columns): Memory {
        if (memory.past !== null) dropped(memory.past, columns);
        return { ...memory, said: null };
      },
      afterExperience: (memory: Memory, _experience, context): Memory => ({
        ...memory,
        past: remembered(memory, context),
        said: null,
        at: new Uint32Array(0),
        labels: new Int32Array(0),
      }),
      beforeExperience(before: Memory, experience, context): Memory {
        const had = before.past;
        const now = bought(before.asked, experience, context);
        const replays = past === "replay" && had !== null;
        return {
          past: had,
          ...now,
          said: replays ? saidOf(had, context) : null,
          asked: new Set([...before.asked, ...(pool === "one" ? now.at : [])]),
          tensors: { share: tf.scalar(replays ? now.at.length / (now.at.length + had.size) : 1) },
        };
      },
      data({ past: had, at, labels: known }: Memory, { train }) {
        const own = select(train, at, known);
        return past === "all" && had !== null ? joined([asTable(had), own]) : own;
      },
      batch({ past: had, said }: Memory, batch, { rng, step, columns }) {
        if (had === null || said === null || had.size === 0) return batch;
        const noise = rng.at("draw", step);
        const count = Math.min(draw || batch.current, had.size);
        const some = noise.sample(
          had.size,
          prefer === "random" ? count : Math.min(had.size, Math.max(count, candidates)),
        );
        const places = prefer === "random" ? some : typicalAndUncertain(said.features, said.entropy, some, count);
        const logits = new Float32Array(places.length * columns);
        places.forEach((place, i) => {
          logits.set(said.logits.subarray(place * columns, (place + 1) * columns), i * columns);
        });
        const joint = withRows(batch, recall(had, places), { name: "cal", weight: 0 });
        return withExtra(joint, "cal", { logits: { data: logits, shape: [places.length, columns] } });
      },
      taskLoss: ({ tensors }: Memory, step) => tf.mul(step.targetLoss(), tensors.share) as tf.Scalar,
      loss({ tensors }: Memory, step) {
        const old = joinedRows(step, "cal");
        if (old === null) return tf.scalar(0);
        const labelled = tf.mul(step.targetLoss({ ...old, weight: null }), 1 - distil);
        const held = tf.mul(meanSquares(old.logits, step.extra.logits!), distil);
        return tf.mul(tf.add(labelled, held), tf.sub(1, tensors.share)) as tf.Scalar;
      },
    };
  },
);

/** All that was bought: the memory with what this experience bought. */
function remembered({ past, at, labels }: Memory, { stream, experience }: Context): Buffer | null {
  if (at.length === 0) return past;
  const { train, task } = stream.experience(experience);
  const had = past?.size ?? 0;
  const next = emptyBuffer(had + at.length, train);
  const size = sizeOf(train.shape);
  if (past !== null) {
    next.rows.set(past.rows);
    next.labels.set(past.labels);
    next.tasks.set(past.tasks);
  }
  train.read(at, next.rows, had * size);
  next.labels.set(labels, had);
  next.tasks.fill(task, had);
  next.size = had + at.length;
  return next;
}

function saidOf(past: Buffer, { outputs, columns }: Context): Said {
  const { logits, features } = outputs(asTable(past));
  const entropy = acquisitions.entropy(probabilitiesOf(logits, columns, null), columns, null as never);
  return { logits, features: unitRows(features, past.size), entropy };
}

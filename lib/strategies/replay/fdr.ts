import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { draw, recall, withExtra, withRows } from "../parts/buffer.ts";
import { type Episodes, requireShares, withEpisode } from "../parts/episodes.ts";
import { episodesWithout, moved } from "../parts/forgetting.ts";
import { plus } from "../parts/projection.ts";
import { type Reference, referenceInput } from "../parts/reference.ts";
import { joinedRows } from "../parts/rows.ts";
import { still } from "../parts/still.ts";
import { requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

interface Memory {
  readonly episodes: Episodes | null;
  /** Logits at the end of the experience that each place came from, `columns` for each. */
  readonly logits: Float32Array;
  readonly columns: number;
  /** Places of a sequence that each has logits at; else 1. */
  readonly places: number;
}

/**
 * Function distance regularisation: on remembered examples the network is held to the probabilities it gave when their experience ended.
 *
 * Adds `alpha · mean_x ‖softmax(h(x)) − softmax(z)‖₂` over examples drawn from the memory, where z are the logits of the network at the
 * end of their experience. The memory has the same share for each experience so far: the first fills it, and gives up a part to each
 * later one. With `apart` the distance is not added to the loss but has a step of plain descent of its own, from where the batch's leads.
 *
 * Benjamin, Rolnick and Körding 2019, arXiv:1805.08289, eq. 2.
 * Differs from the paper: the distance is the mean of the lengths of the differences, as in Buzzega et al. 2020, not the root of the mean
 * of their squares, as is `apart`. Columns that came later have the stored logit 0.
 *
 * @example
 * ```ts
 * import { fdr } from "thalweg";
 * fdr({ capacity: 500, alpha: 0.5, draw: 128 });
 * ```
 */
export const fdr = strategy(
  "fdr",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** Strength of the distance. */
    alpha: 0.5,
    /** Whether the distance has a step of its own after that of the batch, as in the code of Buzzega et al. 2020. */
    apart: false,
  },
  ({ capacity, draw: drawn, alpha, apart }) => {
    requireWhole("fdr", "capacity", capacity, 1);
    requireWhole("fdr", "draw", drawn, 0);
    requireNumber("fdr", "alpha", alpha, 0);
    const distance = (logits: tf.Tensor, kept: tf.Tensor): tf.Scalar => {
      const difference = tf.sub(tf.softmax(logits), tf.softmax(kept));
      const lengths = tf.sqrt(tf.add(tf.sum(tf.square(difference), -1), 1e-12));
      return tf.mul(tf.mean(lengths), alpha) as tf.Scalar;
    };
    return {
      tokens: true,
      classes: true,
      init({ stream }): Memory {
        requireShares("fdr", capacity, stream);
        return {
          episodes: null,
          logits: new Float32Array(0),
          columns: 0,
          places: stream.target === "tokens" ? stream.shape[0]! : 1,
        };
      },
      forget(memory: Memory, classes): Memory {
        if (memory.episodes === null) return memory;
        const { episodes, stay } = episodesWithout(memory.episodes, classes);
        moved(memory.logits, memory.columns * memory.places, stay);
        return { ...memory, episodes };
      },
      batch({ episodes, logits, columns, places: length }: Memory, batch, context) {
        const { rng, step, columns: now } = context;
        if (episodes === null || episodes.buffer.size === 0) return batch;
        const places = draw(episodes.buffer, drawn || batch.current, rng.at("draw", step));
        const kept = new Float32Array(places.length * length * now);
        places.forEach((place, i) => {
          copyRow(logits, place * length, columns, kept, i * length, now, length);
        });
        const rows = recall(episodes.buffer, places);
        const joined = apart
          ? referenceInput(batch, "fdr", rows, context)
          : withRows(batch, rows, { name: "fdr", weight: 0 });
        return withExtra(joined, "fdr", {
          logits: { data: kept, shape: [places.length, ...(length > 1 ? [length] : []), now] },
        });
      },
      loss(_state, step) {
        if (step.extra.logits === undefined) return tf.scalar(0);
        if (!apart) return distance(joinedRows(step, "fdr")!.logits, step.extra.logits);
        const { x, task } = step.extra as Reference;
        return still(distance(step.forward(x, { task }).logits, step.extra.logits)); // told, but learnt below
      },
      ...(apart && {
        gradient(_state: Memory, gradient: Weights, step: Step): Weights {
          const { logits } = step.extra;
          if (logits === undefined) return gradient;
          const { x, task } = step.extra as Reference;
          const second = step.gradient((weights) => {
            const moved = plus(weights, gradient, tf.neg(step.rate));
            return distance(step.forward(x, { weights: moved, task }).logits, logits);
          });
          return plus(gradient, second, 1);
        },
      }),
      afterExperience(memory: Memory, { train, task }, context): Memory {
        if (train.length === 0) return memory;
        const { columns } = context;
        const { episodes, kept, from } = withEpisode(memory.episodes, capacity, train, task, context, "so far");
        const given = context.outputs(train).logits;
        const { places } = memory;
        const logits = new Float32Array(capacity * places * columns);
        from.forEach((place, i) => {
          copyRow(memory.logits, place * places, memory.columns, logits, i * places, columns, places);
        });
        kept.forEach((row, i) => {
          copyRow(given, row * places, columns, logits, (from.length + i) * places, columns, places);
        });
        return { episodes, logits, columns, places };
      },
    };
  },
  ["boundary"],
);

/** Copies the logits of so many places, `columns` at each, into a table that may have more. */
function copyRow(
  from: Float32Array,
  start: number,
  columns: number,
  to: Float32Array,
  at: number,
  wide: number,
  places: number,
): void {
  for (let i = 0; i < places; i++)
    to.set(from.subarray((start + i) * columns, (start + i + 1) * columns), (at + i) * wide);
}

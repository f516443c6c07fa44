import { tf } from "../engine/index.ts";
import { draw, recall, withExtra, withRows } from "./parts/buffer.ts";
import { type Episodes, requireShares, withEpisode } from "./parts/episodes.ts";
import { episodesWithout, moved } from "./parts/forgetting.ts";
import { joinedRows } from "./parts/rows.ts";
import { requireNumber, requireWhole, strategy } from "./strategy.ts";

interface Memory {
  readonly episodes: Episodes | null;
  /** Logits at the end of the experience that each place came from, `columns` for each. */
  readonly logits: Float32Array;
  readonly columns: number;
}

/**
 * Function distance regularisation: on remembered examples the network is held to the probabilities it gave when their experience ended.
 *
 * Adds `alpha · mean_x ‖softmax(h(x)) − softmax(z)‖₂` over examples drawn from the memory, where z are the logits of the network at the
 * end of their experience. The memory has the same share for each experience so far: the first fills it, and gives up a part to each
 * later one.
 *
 * Benjamin, Rolnick and Körding 2019, arXiv:1805.08289, eq. 2.
 * Differs from the paper: the distance is the mean of the lengths of the differences, as in Buzzega et al. 2020, not the root of the mean
 * of their squares. Columns that came later have the stored logit 0.
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
  },
  ({ capacity, draw: drawn, alpha }) => {
    requireWhole("fdr", "capacity", capacity, 1);
    requireWhole("fdr", "draw", drawn, 0);
    requireNumber("fdr", "alpha", alpha, 0);
    return {
      init({ stream }): Memory {
        requireShares("fdr", capacity, stream);
        return { episodes: null, logits: new Float32Array(0), columns: 0 };
      },
      forget(memory: Memory, classes): Memory {
        if (memory.episodes === null) return memory;
        const { episodes, stay } = episodesWithout(memory.episodes, classes);
        moved(memory.logits, memory.columns, stay);
        return { ...memory, episodes };
      },
      batch({ episodes, logits, columns }: Memory, batch, { rng, step, columns: now }) {
        if (episodes === null || episodes.buffer.size === 0) return batch;
        const places = draw(episodes.buffer, drawn || batch.current, rng.at("draw", step));
        const kept = new Float32Array(places.length * now);
        places.forEach((place, i) => {
          kept.set(logits.subarray(place * columns, (place + 1) * columns), i * now);
        });
        const joined = withRows(batch, recall(episodes.buffer, places), { name: "fdr", weight: 0 });
        return withExtra(joined, "fdr", { logits: { data: kept, shape: [places.length, now] } });
      },
      loss(_state, step) {
        const rows = joinedRows(step, "fdr");
        if (rows === null) return tf.scalar(0);
        const apart = tf.sub(tf.softmax(rows.logits), tf.softmax(step.extra.logits!));
        const lengths = tf.sqrt(tf.add(tf.sum(tf.square(apart), -1), 1e-12));
        return tf.mul(tf.mean(lengths), alpha) as tf.Scalar;
      },
      afterExperience(memory: Memory, { train, task }, context): Memory {
        if (train.length === 0) return memory;
        const { columns } = context;
        const { episodes, kept, from } = withEpisode(memory.episodes, capacity, train, task, context, "so far");
        const given = context.outputs(train).logits;
        const logits = new Float32Array(capacity * columns);
        from.forEach((place, i) => {
          logits.set(memory.logits.subarray(place * memory.columns, (place + 1) * memory.columns), i * columns);
        });
        kept.forEach((row, i) => {
          logits.set(given.subarray(row * columns, (row + 1) * columns), (from.length + i) * columns);
        });
        return { episodes, logits, columns };
      },
    };
  },
  ["boundary"],
);

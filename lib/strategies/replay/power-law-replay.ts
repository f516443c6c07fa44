import { recall, withRows } from "../parts/buffer.ts";
import { type Episodes, requireShares, withEpisode } from "../parts/episodes.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly episodes: Episodes | null;
}

/**
 * Rehearsal in which the past comes back with a frequency that falls as a power of its age, as tasks do in natural environments.
 *
 * Every batch is joined by `draw` remembered examples; each is of the experience `a` back with a probability proportional to
 * `a^−exponent`, and any of that experience's examples alike. Memories as in `agem`.
 *
 * Gandhi et al. 2024, arXiv:2401.10393.
 * Differs from the paper: rehearsal is mixed into the batches of the new task rather than done after it; for streams that themselves
 * come back by such a law see the stream operators.
 *
 * Implements: P300 Power-law rehearsal environment
 *
 * @example
 * ```ts
 * import { powerLawReplay } from "thalweg";
 * powerLawReplay({ capacity: 1000, exponent: 1 });
 * ```
 */
export const powerLawReplay = strategy(
  "powerLawReplay",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** How fast the past fades; 0 rehearses all of it alike. */
    exponent: 1,
  },
  ({ capacity, draw, exponent }) => {
    requireWhole("powerLawReplay", "capacity", capacity, 1);
    requireWhole("powerLawReplay", "draw", draw, 0);
    requireNumber("powerLawReplay", "exponent", exponent, 0);
    return {
      tokens: true,
      init({ stream }): Memory {
        requireShares("powerLawReplay", capacity, stream);
        return { episodes: null };
      },
      batch({ episodes }: Memory, batch, { rng, step }) {
        if (episodes === null || episodes.buffer.size === 0) return batch;
        const { starts, buffer } = episodes;
        const past = starts.length - 1;
        const weights = Array.from({ length: past }, (_, e) =>
          starts[e + 1]! > starts[e]! ? (past - e) ** -exponent : 0,
        );
        const total = weights.reduce((a, b) => a + b, 0);
        const own = rng.at("draw", step);
        const places = Array.from({ length: draw || batch.current }, () => {
          let left = own.uniform() * total;
          let e = 0;
          while (e < past - 1 && (left -= weights[e]!) >= 0) e++;
          while (weights[e] === 0) e--;
          return starts[e]! + own.int(starts[e + 1]! - starts[e]!);
        });
        return withRows(batch, recall(buffer, places));
      },
      afterExperience: ({ episodes }: Memory, { train, task }, context): Memory =>
        train.length === 0
          ? { episodes }
          : { episodes: withEpisode(episodes, capacity, train, task, context).episodes },
    };
  },
  ["boundary"],
);

import { draw, recall } from "../parts/buffer.ts";
import { type Episodes, requireShares, withEpisode } from "../parts/episodes.ts";
import { awayFrom } from "../parts/projection.ts";
import { gradientAt, type Reference, referenceInput } from "../parts/reference.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly episodes: Episodes | null;
}

/**
 * Averaged gradient episodic memory: a step never goes against the gradient of a batch drawn from the memory.
 *
 * Where `g·g_ref < 0` the gradient becomes `g − (g·g_ref)/(g_ref·g_ref + epsilon) · g_ref`. The memory has the same share for each past
 * experience, drawn when the experience ends: the capacity divided by the length of the stream where that is told, else by the
 * experiences so far.
 *
 * Chaudhry et al. 2019, arXiv:1812.00420, eq. 11.
 * Differs from the paper: none known.
 *
 * @example
 * ```ts
 * import { agem } from "thalweg";
 * agem({ capacity: 200, draw: 128 });
 * ```
 */
export const agem = strategy(
  "agem",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples of the reference batch; 0 draws as many as the batch has. */
    draw: 128,
    /** Added to the squared length of the reference gradient. */
    epsilon: 1e-7,
  },
  ({ capacity, draw: drawn, epsilon }) => {
    requireWhole("agem", "capacity", capacity, 1);
    requireWhole("agem", "draw", drawn, 0);
    requireNumber("agem", "epsilon", epsilon, 0);
    return {
      tokens: true,
      role: "projection",
      init({ stream }): Memory {
        requireShares("agem", capacity, stream);
        return { episodes: null };
      },
      batch({ episodes }: Memory, batch, context) {
        if (episodes === null || episodes.buffer.size === 0) return batch;
        const places = draw(episodes.buffer, drawn || batch.current, context.rng.at("draw", context.step));
        return referenceInput(batch, "agem", recall(episodes.buffer, places), context);
      },
      gradient(_state, gradient, step) {
        if (step.extra.x === undefined) return gradient;
        return awayFrom(gradient, gradientAt(step, step.extra as Reference), epsilon);
      },
      afterExperience: ({ episodes }: Memory, { train, task }, context): Memory =>
        train.length === 0
          ? { episodes }
          : { episodes: withEpisode(episodes, capacity, train, task, context).episodes },
    };
  },
  ["boundary"],
);

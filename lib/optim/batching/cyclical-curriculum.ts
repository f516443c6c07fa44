import { needShare } from "../../data/options.ts";
import { batching } from "../batching.ts";

/**
 * A curriculum that comes again: passes have a small part of the examples, a larger one, all of them, and back.
 *
 * The share of a pass begins at `start`, is divided by `alpha` with every pass until it is `end`, then multiplied by it until it is `start`
 * again, and so on. Examples are drawn without replacement with probabilities that go as the inverse of the loss that they had when they
 * were trained on last: easy ones come more often while a pass is small. Before any loss is known all are alike; an example without one counts
 * as the mean.
 *
 * Implements: P302 Cyclical Curriculum Learning
 * Kesgin and Amasyali 2023, "Cyclical curriculum learning", arXiv:2202.05531, algorithm 1, with the scores of the program's self-paced form
 * (the inverse of the loss of the model that is trained).
 * Differs from the paper: losses are those of training, before the update, not of an evaluation of all examples before every pass; the
 * paper's main form takes its scores from a model that was trained before.
 *
 * @example
 * ```ts
 * import { cyclicalCurriculum } from "thalweg";
 * const { length } = cyclicalCurriculum().plan;
 * [0, 1, 2, 3, 4, 5].map((epoch) => length!(100, epoch, 6, 10)); // [25, 50, 100, 50, 25, 50]
 * ```
 */
export const cyclicalCurriculum = batching(
  "cyclicalCurriculum",
  {
    /** The smallest share of the examples, with which it begins. */
    start: 0.25,
    /** The largest. */
    end: 1,
    /** What the share is divided by from pass to pass, in (0, 1). */
    alpha: 0.5,
    /** Whether easy examples are drawn more often, or hard ones. */
    prefer: "easy" as "easy" | "hard",
  },
  ({ start, end, alpha, prefer }) => {
    needShare("cyclicalCurriculum", "alpha", alpha, "open");
    needShare("cyclicalCurriculum", "end", end);
    if (!(start > 0 && start <= end))
      throw new RangeError(`cyclicalCurriculum: start must be above 0 and at most end, got ${start} and end ${end}`);
    const shareAt = (epoch: number): number => {
      let [share, rising] = [start, true];
      for (let t = 0; t < epoch; t++) {
        share = rising ? Math.min(share / alpha, end) : Math.max(share * alpha, start);
        if (share === end) rising = false;
        if (share === start) rising = true;
      }
      return share;
    };
    const length = (examples: number, epoch: number): number => Math.max(1, Math.floor(shareAt(epoch) * examples));
    return {
      losses: true,
      length,
      order({ labels, epoch, losses, rng }) {
        const known = [...losses!].filter((loss) => !Number.isNaN(loss));
        const mean = known.length === 0 ? 1 : known.reduce((a, b) => a + b, 0) / known.length;
        const keys = Float64Array.from(losses!, (loss) => {
          const size = Math.max(Number.isNaN(loss) ? mean : loss, 1e-7);
          // The largest of u^(1/p) are a draw without replacement with probabilities p (Efraimidis and Spirakis 2006).
          return Math.log(1 - rng.uniform()) * (prefer === "easy" ? size : 1 / size);
        });
        const places = Uint32Array.from(keys.keys()).sort((a, b) => keys[b]! - keys[a]! || a - b);
        const drawn = places.slice(0, length(labels.length, epoch));
        return rng.permutation(drawn.length).map((i) => drawn[i]!);
      },
    };
  },
);

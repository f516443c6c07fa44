import { tf } from "../../engine/index.ts";
import { recall } from "../parts/buffer.ts";
import { type Episodes, requireShares, withEpisode } from "../parts/episodes.ts";
import { cone, dot, plus } from "../parts/projection.ts";
import { gradientAt, type Reference, referenceTensors } from "../parts/reference.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly episodes: Episodes | null;
  readonly tensors: { readonly parts: readonly Reference[] };
}

/**
 * Gradient episodic memory: a step goes against the gradient of no past experience's memory.
 *
 * With G the rows of the gradients on the memories of past experiences and g that of the batch: where some `G g < 0`, g becomes the
 * nearest direction with `G g̃ ≥ 0`, `g̃ = g + Gᵀ v`, with v ≥ margin the minimum of `½ vᵀ G Gᵀ v + (G g)ᵀ v`. The minimum is found by
 * `rounds` rounds over the multipliers. Memories as in `agem`.
 *
 * The work per step grows with the number of past experiences: it is one backward pass over each one's memory.
 *
 * Lopez-Paz and Ranzato 2017, arXiv:1706.08840, eq. 11.
 * Differs from the paper: the quadratic program is solved by coordinate descent in single precision.
 *
 * @example
 * ```ts
 * import { gem } from "thalweg";
 * gem({ capacity: 200, margin: 0.5 });
 * ```
 */
export const gem = strategy(
  "gem",
  {
    /** Examples kept. */
    capacity: 200,
    /** Least multiplier of each past experience: above 0 it pulls towards directions that help the past. */
    margin: 0.5,
    /** Rounds of the solver. */
    rounds: 20,
  },
  ({ capacity, margin, rounds }) => {
    requireWhole("gem", "capacity", capacity, 1);
    requireNumber("gem", "margin", margin, 0);
    requireWhole("gem", "rounds", rounds, 1);
    return {
      tokens: true,
      role: "projection",
      init({ stream }): Memory {
        requireShares("gem", capacity, stream);
        return { episodes: null, tensors: { parts: [] } };
      },
      beforeExperience({ episodes }: Memory, _experience, context): Memory {
        const starts = episodes?.starts ?? [0];
        const parts = starts.slice(1).flatMap((end, e) => {
          const places = Uint32Array.from({ length: end - starts[e]! }, (_, i) => starts[e]! + i);
          return places.length === 0 ? [] : [referenceTensors(recall(episodes!.buffer, places), context)];
        });
        return { episodes, tensors: { parts } };
      },
      gradient({ tensors }, gradient, step) {
        if (tensors.parts.length === 0) return gradient;
        const references = tensors.parts.map((part) => gradientAt(step, part));
        const products = references.map((a) => tf.stack(references.map((b) => dot(a, b))));
        const against = tf.stack(references.map((reference) => dot(reference, gradient)));
        const v = cone(tf.stack(products), against, margin, rounds);
        const violated = tf.cast(tf.less(tf.min(against), 0), "float32");
        return references.reduce(
          (sum, reference, e) => plus(sum, reference, tf.mul(violated, tf.reshape(tf.slice(v, [e], [1]), []))),
          gradient,
        );
      },
      afterExperience({ episodes, tensors }: Memory, { train, task }, context): Memory {
        if (train.length === 0) return { episodes, tensors };
        return { episodes: withEpisode(episodes, capacity, train, task, context).episodes, tensors };
      },
    };
  },
  ["boundary"],
);

import { needWhole } from "../../data/options.ts";
import { mapTensors, type Rng, type Tree, tf } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";

/**
 * Descent without a gradient: two losses at weights moved there and back along random directions say how the loss falls along them, and each
 * direction is no more than a seed and a number of one byte.
 *
 * For each of `directions` seeds, `ρ = (L(w + c z) − L(w − c z)) / 2c` with normal numbers z from that seed, and `w ← w − lr · mean(q(ρ) z)`. With
 * `bytes: 1` ρ is rounded to one of 255 levels between ±`range`, as workers would send it: whoever has the seeds can make the same step of them.
 * No gradient is computed where nothing else asks for one.
 *
 * Implements: P447 Just One Byte
 *
 * Zelikman et al. 2023, "Just one byte (per gradient): a note on low-bandwidth decentralized language model finetuning using shared randomness",
 * arXiv:2306.10015; Spall 1992 (SPSA); Malladi et al. 2023 (MeZO), arXiv:2305.17333. Differs from the paper: all directions look at the rows
 * of one batch, where each worker has its own; levels are spread evenly.
 *
 * @example
 * ```ts
 * import { seededSpsa } from "thalweg";
 * seededSpsa({ lr: 0.001, directions: 8 }).sees; // ["loss", "noise"]
 * ```
 */
export const seededSpsa = optimizer(
  "seededSpsa",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** How far the weights are moved to look. */
    c: 1e-3,
    /** Random directions at each step: workers, each with a seed. */
    directions: 4,
    /** Bytes of each number that is sent: 1, or 4 for all its bits. */
    bytes: 1 as 1 | 4,
    /** The largest number that one byte can say. */
    range: 8,
  },
  ({ c, directions, bytes, range }) => {
    needWhole("seededSpsa", "directions", directions);
    if (!(c > 0)) throw new RangeError(`seededSpsa: a c above 0 is required, got ${c}`);
    if (bytes !== 1 && bytes !== 4) throw new RangeError(`seededSpsa: bytes must be 1 or 4, got ${bytes}`);
    if (!(range > 0)) throw new RangeError(`seededSpsa: a range above 0 is required, got ${range}`);
    const sent = (slope: tf.Tensor): tf.Tensor => {
      if (bytes === 4) return slope;
      const unit = range / 127;
      return tf.mul(tf.clipByValue(tf.round(tf.div(slope, unit)), -127, 127), unit);
    };
    return {
      sees: ["loss", "noise"],
      init: () => [],
      update(_grads, state, params, rate, seen) {
        const rng = seen?.rng ?? null;
        if (seen === undefined || rng === null)
          throw new TypeError("seededSpsa: a step that shows its loss and has noise is required, got none");
        const steps = Array.from({ length: directions }, (_, k): Tree => {
          const z = directionOf(params, rng.at("worker", k));
          const moved = (by: number): Tree => mapTensors((w, d) => tf.add(w, tf.mul(d!, by)), params, z);
          const slope = tf.div(tf.sub(seen.loss(moved(c)), seen.loss(moved(-c))), 2 * c);
          const size = tf.mul(sent(slope), tf.div(tf.neg(rate), directions));
          return mapTensors((d) => tf.mul(d, size), z);
        });
        const [first, ...others] = steps as [Tree, ...Tree[]];
        return [others.length === 0 ? first : mapTensors((...all) => tf.addN(all), first, ...others), state];
      },
    };
  },
);

/** The direction of a seed. */
function directionOf(params: Tree, rng: Rng): Tree {
  let next = 0;
  return mapTensors((w) => rng.at(next++).normals(w.shape), params);
}

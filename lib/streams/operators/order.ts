/** Puts the classes, or the experiences, in another order. */
import { operator } from "../operator.ts";
import { orderOf } from "../parts/order.ts";
import { picked } from "../parts/picked.ts";
import { renumbered } from "../parts/renumbered.ts";
import { byLikeness } from "../parts/similarity.ts";
import { needTarget } from "../parts/target.ts";
import type { Seed } from "../stream.ts";

/**
 * Changes the order in which things arrive, by a seed, a list, or a curriculum from like to like or from like to unlike.
 *
 * A number is the seed that draws it, "run" the run's own seed. On a stream of one experience it is the order of the classes, which a later `split` follows: columns are numbered anew, so that column 0
 * is the first in the order; a list holds every column or class name once; "similar" and "different" make a curriculum, which goes on from
 * the first class to the one whose mean example is nearest to, or farthest from, the last one's. On a stream of several it is the order of
 * the experiences.
 *
 * @throws RangeError when a list does not have every class, or every experience, exactly once, or the stream never ends.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { order, split } = operators;
 * split(5)(order([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])(classes(digits()))).classes[0]; // "9"
 * ```
 */
export const order = operator(
  "order",
  (by: Seed | "similar" | "different" | readonly (number | string)[]) => (stream) => {
    if (stream.length === Infinity) throw new RangeError("order: a stream that ends is required; slice it first");
    if (stream.length > 1) {
      const names = Array.from({ length: stream.length }, (_, i) => String(i));
      if (isCurriculum(by))
        throw new TypeError(`order: a stream of one experience is required for "${by}"; put it before the split`);
      return picked(stream, orderOf("order", by, names));
    }
    if (isCurriculum(by)) needTarget("order", stream);
    const columns = isCurriculum(by)
      ? byLikeness(stream.experience(0).train, stream.classesOf(0), by)
      : orderOf("order", by, stream.classes);
    return renumbered(stream, columns);
  },
);

function isCurriculum(by: unknown): by is "similar" | "different" {
  return by === "similar" || by === "different";
}

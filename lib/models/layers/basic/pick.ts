import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";

/**
 * Some numbers of each example, or of each place: `count` from one on, along the last axis.
 *
 * @throws RangeError when there are not so many.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().pick(1, 2).features([10, 4]); // [10, 2]
 * ```
 */
export const pick = sameLayer("pick", (from: number, count: number) => {
  requireCount("pick", "from", from, 0);
  requireCount("pick", "count", count);
  return {
    options: { from, count },
    byPlace: true,
    shape(input) {
      if (input.at(-1)! < from + count)
        throw new RangeError(`pick: at least ${from + count} numbers at the end are required, got shape [${input}]`);
      return [...input.slice(0, -1), count];
    },
    apply(x) {
      const before = x.shape.slice(0, -1);
      return tf.slice(x, [...before.map(() => 0), from], [...before, count]);
    },
  };
});

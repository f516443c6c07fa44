import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { groupParams, halved, inPairs } from "../../parts/recursive-conv.ts";

/** Options of `recursiveEncoder` and `recursiveDecoder`. */
export interface RecursiveConvOptions {
  /** How often the length is halved, or doubled. Default 2. */
  readonly times?: number;
  /** Convolutions in a group. Default 2. */
  readonly depth?: number;
}

/**
 * A sequence at half its length again and again, by one group of convolutions: `[length, units]` becomes `[length / 2^times, units]`.
 *
 * A group of convolutions of three places comes first, then `times` times: the larger of every two places, and another group, whose weights are the same each time. Rectifiers follow
 * convolutions, and each pair of them has what came into it added. `recursiveDecoder` is the way back, and has the source.
 *
 * @throws RangeError where the length cannot be halved so often.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(256, 16, { positions: false }).recursiveEncoder({ times: 3 }).features([64]); // [8, 16]
 * ```
 */
export const recursiveEncoder = layer(
  "recursiveEncoder",
  { accepts: ["sequence"], gives: "sequence" },
  ({ times = 2, depth = 2 }: RecursiveConvOptions = {}) => {
    requireCount("recursiveEncoder", "times", times);
    requireCount("recursiveEncoder", "depth", depth);
    return {
      options: { times, depth },
      shape(input) {
        const [length, units] = requireVectors("recursiveEncoder", input);
        if (length % 2 ** times !== 0)
          throw new RangeError(
            `recursiveEncoder: a length that is a multiple of ${2 ** times} is required to be halved ${times} times, got ${length}`,
          );
        return [length / 2 ** times, units];
      },
      init: (rng, [, units]): Params => ({
        first: groupParams(rng.at("first"), depth, units!),
        again: groupParams(rng.at("again"), depth, units!),
      }),
      apply(x, { first, again }) {
        let now = inPairs(x, Object.values(first as Params));
        for (let k = 0; k < times; k++) now = inPairs(halved(now), Object.values(again as Params));
        return now;
      },
    };
  },
);

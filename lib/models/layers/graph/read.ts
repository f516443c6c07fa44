import { composite, type Join } from "../../composite.ts";
import { recalled, requireJoin, requireName } from "../../parts/remembering.ts";

/** Options of `read`. */
export interface ReadOptions {
  /** What becomes of what comes in and what is read: their sum, their product, or one beside the other along the last axis. Default "concat". */
  readonly join?: Join;
}

/**
 * Joins what comes in with what `tap(name)` remembered, as the shortcuts of a U-Net do.
 *
 * @throws RangeError when nothing is remembered under the name, or the shapes do not go together.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(4).tap("early").dense(8).relu().read("early").features([3]); // [12]
 * ```
 */
export const read = composite(
  "read",
  (name: string, { join = "concat" }: ReadOptions = {}) => {
    requireName("read", name);
    requireJoin("read", join);
    return {
      options: { name, join },
      parts: [],
      gives: "same",
      flow: (x, how) => how.join(join, [x, recalled("read", name, how.remembered)]),
    };
  },
  (options) => {
    const { name, join } = options as { readonly name: string; readonly join: Join };
    return [name, { join }];
  },
);

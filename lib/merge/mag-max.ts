import { merging } from "./merging.ts";

/**
 * MagMax: of each parameter the change that is largest in size is kept, whichever network made it, and added to the base.
 *
 * Implements: P093 MagMax
 *
 * Where two changes are equally large the later one counts. Networks that were trained one from the other, as in a stream, share most of
 * what they changed: `mergeAfter(merge.magMax())` trains them so.
 *
 * Marczak et al. 2024, arXiv:2407.06322, section 4 and algorithm 1.
 *
 * @example
 * ```ts
 * import { merge } from "thalweg";
 * merge.magMax(); // { rule: "magMax", options: { scale: 0.5 } }
 * ```
 */
export const magMax = merging(
  "magMax",
  {
    /** What the merged change is multiplied by. */
    scale: 0.5,
  },
  {
    needsBase: true,
    next(held, vector, { options: { scale } }) {
      const before = held?.before as typeof vector | undefined;
      const most =
        before === undefined ? vector : vector.map((x, i) => (Math.abs(x) >= Math.abs(before[i]!) ? x : before[i]!));
      return { merged: most.map((x) => x * scale), before: most };
    },
  },
);

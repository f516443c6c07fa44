import { composite, type Inner, innerModel, type Join } from "../../composite.ts";
import { requireJoin } from "../../parts/remembering.ts";

/** Options of `branch`. */
export interface BranchOptions {
  /** What becomes of what the ways give: their sum, their product, or one beside the other along the last axis. Default "concat". */
  readonly join?: Join;
}

/**
 * Several ways through which the same input goes, and what they give as one.
 *
 * Each way is a function of a net or a model; `(n) => n` lets the input through as it is. "add" and "multiply" take equal shapes, or a
 * vector beside what has places, as a gate for each channel; "concat" takes shapes that agree but in the last number. The tensors of the
 * second way lie at `3-branch/2-way/1-conv`.
 *
 * @throws RangeError when the shapes do not go together.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().branch([(n) => n.conv(8, 1), (n) => n.conv(4, 3).relu()]).features([6, 6, 3]); // [6, 6, 12]
 * net().flatten().branch([(n) => n.dense(5), (n) => n.dense(5).tanh()], { join: "multiply" }).features([7]); // [5]
 * ```
 */
export const branch = composite(
  "branch",
  (ways: readonly Inner[], { join = "concat" }: BranchOptions = {}) => {
    if (ways.length === 0) throw new RangeError("branch: at least one way is required, got none; give [(n) => …]");
    requireJoin("branch", join);
    return {
      options: { join },
      parts: ways.map((way, i) => ({ name: `${i + 1}-way`, model: innerModel(way) })),
      flow: (x, how) =>
        how.join(
          join,
          ways.map((_, i) => how.pass(i, x)),
        ),
    };
  },
  (options, models) => [models, options as BranchOptions],
);

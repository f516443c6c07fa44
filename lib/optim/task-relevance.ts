/** Which source tasks say something of a target task, and how many examples of each are worth asking for. */

/** How relevance is estimated. */
export interface TaskRelevanceOptions {
  /** "l1": few tasks that together make the target (lasso); "l2": all of them, as small as can be. Default "l1". */
  readonly by?: "l1" | "l2";
  /** Weight of the sum of sizes, or of the sum of squares. Default 0.01. */
  readonly penalty?: number;
}

/** What source tasks say of a target. */
export interface TaskRelevance {
  /** The weights by which the sources' heads make the target's. */
  readonly weights: readonly number[];
  /** The share of examples that each source should have: of "l1" in proportion to the size of its weight, of "l2" to its square. They sum to 1. */
  readonly shares: readonly number[];
}

/**
 * The relevance of source tasks for a target: weights ν for which the target's head, over a representation that all share, is a combination of the sources'
 * heads, by `½ ‖w − W ν‖² + penalty ‖ν‖₁`, or with `½ penalty ‖ν‖²`. Where few sources matter the first asks for fewer examples.
 *
 * Estimate it on the representation as it is, ask for examples by the shares, learn anew, and so on. `sources` has a head for each source, as long as the
 * target's. Solved by coordinate descent.
 *
 * Implements: P444 Active multi-task rep. via Lasso
 * Wang et al. 2023, "Improved active multi-task representation learning via Lasso", arXiv:2306.02556, sections 3 and 4 (L1-A-MTRL), beside the squares of Chen et
 * al. 2022, arXiv:2202.00911.
 *
 * @throws RangeError for heads of other lengths, or no sources.
 *
 * @example
 * ```ts
 * import { taskRelevance } from "thalweg";
 * taskRelevance([[1, 0], [0, 1]], [0.51, 0], { penalty: 0.01 }).shares; // [1, 0]
 * ```
 */
export function taskRelevance(
  sources: readonly (readonly number[])[],
  target: readonly number[],
  { by = "l1", penalty = 0.01 }: TaskRelevanceOptions = {},
): TaskRelevance {
  if (sources.length === 0 || sources.some((head) => head.length !== target.length))
    throw new RangeError(
      `taskRelevance: heads of the target's ${target.length} numbers are required, got ${sources.length} of [${sources.map((head) => head.length)}]`,
    );
  if (by !== "l1" && by !== "l2") throw new TypeError(`taskRelevance: by must be "l1" or "l2", got "${by}"`);
  if (!(penalty >= 0)) throw new RangeError(`taskRelevance: a penalty of at least 0 is required, got ${penalty}`);
  const weights = sources.map(() => 0);
  const squares = sources.map((head) => head.reduce((sum, value) => sum + value * value, 0));
  const rest = [...target];
  for (let round = 0; round < 10_000; round++) {
    let moved = 0;
    for (const [t, head] of sources.entries()) {
      if (squares[t] === 0) continue;
      const pull = head.reduce((sum, value, i) => sum + value * rest[i]!, 0) + squares[t]! * weights[t]!;
      const now =
        by === "l1"
          ? (Math.sign(pull) * Math.max(0, Math.abs(pull) - penalty)) / squares[t]!
          : pull / (squares[t]! + penalty);
      const change = now - weights[t]!;
      if (change === 0) continue;
      for (const [i, value] of head.entries()) rest[i]! -= change * value;
      weights[t] = now;
      moved = Math.max(moved, Math.abs(change));
    }
    if (moved < 1e-12) break;
  }
  const sizes = weights.map((weight) => (by === "l1" ? Math.abs(weight) : weight ** 2));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return { weights, shares: sizes.map((size) => (total === 0 ? 1 / sizes.length : size / total)) };
}

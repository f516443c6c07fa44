/** Which of several methods differ over several streams or seeds, by their ranks. */
import { chiSquareTail, fisherTail, studentizedRangeQuantile } from "./parts/distributions.ts";

/** Methods ranked over blocks, and which of them cannot be told apart. */
export interface CriticalDifference {
  readonly methods: readonly string[];
  /** The mean rank of each method: 1 is best. Methods that tie share their ranks. */
  readonly ranks: readonly number[];
  /** The difference of mean ranks from which two methods differ, by Nemenyi's test. */
  readonly difference: number;
  /** Friedman's test that all methods are alike: its chi-square and p-value. */
  readonly friedman: { readonly statistic: number; readonly p: number };
  /** Iman and Davenport's sharper version of it: its F and p-value. */
  readonly imanDavenport: { readonly statistic: number; readonly p: number };
  /** Methods that cannot be told apart, best first; each group as large as it can be, none within another. */
  readonly groups: readonly (readonly string[])[];
  readonly blocks: number;
}

/**
 * Ranks methods within each block (a stream, a data set, a seed) and tests whether their mean ranks differ.
 *
 * `scores` has one list per method with a score for every block. `higherIsBetter` is true, `alpha` .05 by default.
 * The critical difference is `q_α √(k(k+1)/(6N))`. Demšar 2006, "Statistical comparisons of classifiers over multiple data sets".
 *
 * @example
 * ```ts
 * import { criticalDifference } from "thalweg";
 * const found = criticalDifference({ naive: [0.2, 0.3, 0.2, 0.1], ewc: [0.3, 0.4, 0.3, 0.2], replay: [0.8, 0.7, 0.9, 0.8] });
 * found.ranks; // [3, 2, 1]
 * found.difference; // 2.3437 · √(3·4/(6·4)) = 1.657
 * found.groups; // [["replay", "ewc"], ["ewc", "naive"]]
 * ```
 */
export function criticalDifference(
  scores: Readonly<Record<string, readonly number[]>>,
  { alpha = 0.05, higherIsBetter = true }: { alpha?: number; higherIsBetter?: boolean } = {},
): CriticalDifference {
  const methods = Object.keys(scores);
  const lists = Object.values(scores);
  const [k, n] = [methods.length, lists[0]?.length ?? 0];
  if (k < 2 || n < 2 || lists.some((list) => list.length !== n)) {
    throw new RangeError(
      `criticalDifference: two or more methods with a score for each of two or more blocks are required, got ${methods.map((name, index) => `${name}: ${lists[index]!.length}`).join(", ")}`,
    );
  }
  const sums = new Float64Array(k);
  for (let block = 0; block < n; block++) {
    const ranks = ranksOf(lists.map((list) => (higherIsBetter ? -list[block]! : list[block]!)));
    for (const [method, rank] of ranks.entries()) sums[method]! += rank;
  }
  const ranks = Array.from(sums, (sum) => sum / n);
  const squares = ranks.reduce((sum, rank) => sum + rank * rank, 0);
  const chi = ((12 * n) / (k * (k + 1))) * (squares - (k * (k + 1) ** 2) / 4);
  const f = ((n - 1) * chi) / (n * (k - 1) - chi);
  const difference = (studentizedRangeQuantile(1 - alpha, k) / Math.SQRT2) * Math.sqrt((k * (k + 1)) / (6 * n));
  return {
    methods,
    ranks,
    difference,
    friedman: { statistic: chi, p: chiSquareTail(chi, k - 1) },
    imanDavenport: {
      statistic: f,
      p: Number.isFinite(f) && f > 0 ? fisherTail(f, k - 1, (k - 1) * (n - 1)) : f > 0 ? 0 : 1,
    },
    groups: cliques(methods, ranks, difference),
    blocks: n,
  };
}

/** The rank of each value, from 1; equal values share the mean of their ranks. */
export function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

function cliques(methods: readonly string[], ranks: readonly number[], difference: number): string[][] {
  const order = methods.map((_, index) => index).sort((i, j) => ranks[i]! - ranks[j]!);
  const found: string[][] = [];
  let reached = 0;
  for (let from = 0; from < order.length; from++) {
    let to = from;
    while (to + 1 < order.length && ranks[order[to + 1]!]! - ranks[order[from]!]! < difference) to++;
    if (to > from && to > reached) {
      found.push(order.slice(from, to + 1).map((index) => methods[index]!));
      reached = to;
    }
  }
  return found;
}

/** Whether methods really differ: paired tests over seeds, corrected for how many were made. */
import type { Comparison } from "./comparison-table.ts";
import { type DataFrame, frame } from "./frame.ts";
import { holm, pairedTTest, permutationTest } from "./statistics.ts";

/** What can be said of a paired comparison. */
export interface PairedComparisonOptions {
  /** The method the others are compared with; the first of the table by default. */
  readonly reference?: string;
  /** `permutation` (the default) assumes nothing but pairing; `t` assumes normal differences and can tell more from few seeds. */
  readonly test?: "permutation" | "t";
}

/**
 * Tests every method of a comparison against one of them, metric by metric, paired by seed.
 *
 * One row per metric and method: the mean `difference` (method − reference) with its 95% t-interval `low` and `high`, the two-sided
 * `p`, and `corrected`, Holm's correction over the methods of that metric. All methods must have been run with the same seeds in the
 * same order; a metric that is not defined for a method, or for some of its seeds, has null in its row.
 *
 * @example
 * ```ts
 * import { comparisonTable, pairedComparison } from "thalweg";
 * const run = (accuracy: number) =>
 *   [{ type: "evaluated", at: "experience", step: 9, after: 0, on: 0, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }] as const;
 * const table = comparisonTable({ naive: [0.2, 0.25, 0.22].map(run), replay: [0.8, 0.84, 0.81].map(run) });
 * pairedComparison(table).rows()[0]; // averageAccuracy of replay − naive: 0.5933, p 0.25: three seeds cannot tell more
 * ```
 */
export function pairedComparison(
  { methods, metrics, cells }: Comparison,
  { reference = methods[0] ?? "", test = "permutation" }: PairedComparisonOptions = {},
): DataFrame {
  const base = methods.indexOf(reference);
  if (base < 0) {
    throw new RangeError(
      `pairedComparison: a method of the table is required as reference, got ${reference}; it has ${methods.join(", ")}`,
    );
  }
  const others = methods.flatMap((method, row) => (row === base ? [] : [{ method, row }]));
  const compare = test === "t" ? pairedTTest : permutationTest;
  const rows = metrics.flatMap(({ metric }, column) => {
    const ours = cells[base]![column]!.values;
    const found = others.map(({ method, row }) => {
      const theirs = cells[row]![column]!.values;
      return { method, outcome: theirs.length === ours.length && ours.length > 0 ? compare(theirs, ours) : undefined };
    });
    const corrected = holm(found.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome.p])));
    let next = 0;
    return found.map(({ method, outcome }) => ({
      metric,
      method,
      reference,
      difference: outcome?.mean ?? null,
      low: outcome?.low ?? null,
      high: outcome?.high ?? null,
      p: outcome?.p ?? null,
      corrected: outcome === undefined ? null : corrected[next++]!,
    }));
  });
  return frame(rows);
}

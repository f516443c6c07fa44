import { describe, expect, test } from "vitest";
import { averageAccuracy, comparisonTable, forgetting, fwt } from "../../lib/metrics/index.ts";
import { logOf } from "./logs.ts";

const seeds = (finals: readonly number[]) =>
  finals.map((final) =>
    logOf(
      [
        [0.9, 0],
        [final, final],
      ],
      { head: "single" },
    ),
  );
const table = comparisonTable(
  { naive: seeds([0.1, 0.2, 0.3]), "replay <500>": seeds([0.8, 0.82, 0.84]), joint: seeds([0.95]) },
  { metrics: [averageAccuracy, forgetting.chaudhry, fwt.gem] },
);

describe("a comparison of methods over seeds", () => {
  test("gives the mean and Student's 95% interval, with the 4.3027 of two degrees of freedom", () => {
    const [cell] = table.cells[1]!;
    expect(cell!.mean).toBeCloseTo(0.82, 12);
    expect(cell!.high - cell!.mean).toBeCloseTo((4.302652729911275 * 0.02) / Math.sqrt(3), 10);
    expect(cell!.n).toBe(3);
  });

  test("marks the best of each column in the direction that is better", () => {
    expect(table.cells.map((row) => row.map((cell) => cell.best))).toEqual([
      [false, false, false],
      [false, false, false],
      [true, true, false],
    ]);
  });

  test("says why a metric is not defined, and shows a dash", () => {
    expect(table.cells[0]![2]!.why).toMatch(/class-incremental/);
    expect(table.toHTML()).toMatch(/title="class-incremental[^"]*">–</);
  });

  test("shows a mean without an interval for a single seed", () => {
    expect(table.toText()).toMatchInlineSnapshot(`
      "method        average accuracy (%) ↑  forgetting.chaudhry (%) ↓  fwt.gem (%) ↑
      ──────────────────────────────────────────────────────────────────────────────
      naive                    20.0 ± 24.8                70.0 ± 24.8              –
      replay <500>              82.0 ± 5.0                  8.0 ± 5.0              –
      joint                          *95.0                      *−5.0              –
      * best mean"
    `);
  });

  test("escapes names in HTML, Markdown and LaTeX", () => {
    expect(table.toHTML()).toContain("replay &lt;500&gt;");
    expect(table.toMarkdown()).toContain("| replay \\<500\\> | 82.0 ± 5.0 |");
    expect(table.toMarkdown()).toContain("**95.0**");
    expect(table.toLatex({ caption: "100% of it" })).toContain("\\caption{100\\% of it}");
    expect(table.toLatex()).toContain("joint & \\textbf{95.0} & \\textbf{$-$5.0} & -- \\\\");
  });

  test("is a frame of one row per method and metric", () => {
    const rows = table.frame().filter("d => d.metric === 'averageAccuracy'").rows();
    expect(rows.map((row) => row.method)).toEqual(["naive", "replay <500>", "joint"]);
    expect(rows[0]!.mean).toBeCloseTo(0.2, 12);
  });
});

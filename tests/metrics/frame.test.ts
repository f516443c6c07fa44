import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import { desc } from "arquero";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, expectTypeOf, test } from "vitest";
import { DataFrame, evaluations, frame, probeValues, trainingSteps } from "../../lib/metrics/index.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { logOf } from "./logs.ts";

const display = Symbol.for("Jupyter.display");
const bundle = (shown: DataFrame) => (shown as unknown as Record<symbol, () => Record<string, string>>)[display]!();

const results = frame([
  { method: "naive", seed: 0, accuracy: 0.2 },
  { method: "replay", seed: 0, accuracy: 0.8 },
  { method: "replay", seed: 1, accuracy: 0.85 },
]);

describe("a frame", () => {
  test("keeps being a frame through every verb of arquero", () => {
    const best = results
      .filter("d => d.seed === 0")
      .derive({ percent: "d => 100 * d.accuracy" })
      .orderby(desc("percent"))
      .select("method", "percent");
    expect(best).toBeInstanceOf(DataFrame);
    expectTypeOf(best).toEqualTypeOf<DataFrame>();
    expect(best.rows()).toEqual([
      { method: "replay", percent: 80 },
      { method: "naive", percent: 20 },
    ]);
    const wide = results.groupby("seed").pivot("method", "accuracy");
    expect(wide).toBeInstanceOf(DataFrame);
    expect(results.join(frame({ method: ["naive"], year: [1989] })).rows()).toEqual([
      { method: "naive", seed: 0, accuracy: 0.2, year: 1989 },
    ]);
  });

  test("leaves the frames it joins and concatenates as they were", () => {
    const both = results.concat(results);
    expect(both.numRows()).toBe(6);
    expect(results.numRows()).toBe(3);
  });

  test("shows itself as text with numbers to the right", () => {
    expect(results.toText()).toBe(
      [
        "method  seed  accuracy",
        "──────────────────────",
        "naive      0      0.20",
        "replay     0      0.80",
        "replay     1      0.85",
      ].join("\n"),
    );
  });

  test("shows the first and last rows of a long table and says how many are left out", () => {
    const long = frame({ step: Array.from({ length: 1000 }, (_, step) => step) });
    expect(long.toText({ limit: 4 }).split("\n").slice(2)).toEqual(["   0", "   1", "⋮ 996 more rows", " 998", " 999"]);
    expect(bundle(long)["text/html"]).toContain("980 more rows");
  });

  test("escapes text from data in HTML, LaTeX and Markdown", () => {
    const hostile = frame([{ "<b>": "<script>alert(1)</script>", b: "50% & a_b\\c | d" }]);
    expect(bundle(hostile)["text/html"]).not.toMatch(/<script|<b>/);
    expect(bundle(hostile)["text/html"]).toContain("&lt;script&gt;");
    expect(hostile.toLatex()).toContain("50\\% \\& a\\_b\\textbackslash{}c");
    expect(hostile.toMarkdown()).toContain("\\| d");
  });

  test("says which column has another length", () => {
    expect(() => frame({ a: [1, 2], b: [1] })).toThrow(
      "frame: columns of one length are required, got a with 2 and b with 1; fill what is missing with null",
    );
  });

  test("shows absent values, not-a-numbers and rows without columns", () => {
    expect(
      frame([{ a: 1 }, { a: null }, { a: Number.NaN }, { b: true }])
        .toText()
        .split("\n")
        .slice(2),
    ).toEqual(["  1  –", "  –  –", "NaN  –", "  –  true"]);
    expect(frame([]).toText()).toBe("\n");
  });
});

describe("a frame goes out as", () => {
  test("CSV with quotes where they are needed", () => {
    expect(frame([{ name: 'a "b", c', n: 1 }]).toCSV()).toBe('name,n\n"a ""b"", c",1\n');
  });

  test("JSON of rows", () => {
    expect(JSON.parse(results.toJSON())).toEqual(results.rows());
  });

  test("Arrow that another reader reads", () => {
    const back = tableFromIPC(results.toArrowIPC({ format: "file" }));
    expect(back.toArray()).toEqual(results.rows());
  });

  test("Parquet that a reader reads back, absent values and all", async () => {
    const mixed = frame([
      { method: "naive", seed: 0, accuracy: 0.2, done: true, at: new Date(1000), big: 5n },
      { method: null, seed: 1, accuracy: Number.NaN, done: false, at: new Date(2000), big: -7n },
      { method: "replay", seed: null, accuracy: null, done: true, at: null, big: 2n ** 60n },
    ]);
    const { buffer } = mixed.toParquet();
    const back = await parquetReadObjects({ file: buffer });
    expect(back).toEqual(mixed.rows());
  });

  test("a file by the end of its name, and not by another", () => {
    const folder = mkdtempSync(join(tmpdir(), "frame-"));
    try {
      for (const name of ["a.csv", "a.json", "a.parquet", "a.arrow", "a.md", "a.tex", "a.html"]) {
        results.save(join(folder, name));
        expect(readFileSync(join(folder, name)).length).toBeGreaterThan(50);
      }
      expect(JSON.parse(readFileSync(join(folder, "a.json"), "utf8"))).toEqual(results.rows());
      expect(() => results.save(join(folder, "a.xls"))).toThrow("a file name that ends in .csv");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("mixed kinds in a column are refused by Parquet", () => {
    expect(() => frame([{ a: 1 }, { a: "x" }]).toParquet()).toThrow(
      "one kind of value in a column is required, got number and string in a",
    );
  });

  test("LaTeX in booktabs style", () => {
    expect(results.toLatex({ caption: "Five tasks", label: "tab:five" })).toMatchInlineSnapshot(`
      "\\begin{table}
        \\centering
        \\caption{Five tasks}
        \\label{tab:five}
        \\begin{tabular}{lrr}
          \\toprule
          method & seed & accuracy \\\\
          \\midrule
          naive & 0 & 0.20 \\\\
          replay & 0 & 0.80 \\\\
          replay & 1 & 0.85 \\\\
          \\bottomrule
        \\end{tabular}
      \\end{table}"
    `);
  });

  test("a danfo.js frame of columns", () => {
    class DataFrame {
      readonly data: Record<string, unknown[]>;
      constructor(data: Record<string, unknown[]>) {
        this.data = data;
      }
    }
    const made = frame([
      { a: 1, b: "x" },
      { a: null, b: null },
    ]).toDanfo({ DataFrame });
    expect(made.data).toEqual({ a: [1, Number.NaN], b: ["x", null] });
  });
});

test("the evaluations of runs are rows of seed, experience and task", () => {
  const rows = evaluations([
    logOf([
      [0.9, 0],
      [0.6, 0.8],
    ]),
    logOf([[1, 1]]),
  ]).rows();
  expect(rows).toHaveLength(6);
  expect(rows[2]).toMatchObject({ seed: 0, at: "experience", after: 1, on: 0, accuracy: 0.6, step: 20 });
  expect(evaluations([]).columnNames()).toContain("taskAware");
});

test("steps and probes of runs are rows too, a column for every term of the loss", () => {
  const started = logOf([[1]])[0]!;
  const log: TrainEvent[] = [
    started,
    { type: "step", step: 1, experience: 0, epoch: 0, loss: 3, terms: { task: 2, ewc: 1 } },
    { type: "step", step: 2, experience: 0, epoch: 0, loss: 1, terms: { task: 1 } },
    { type: "probed", step: 2, experience: 0, name: "dormantUnits", layer: "hidden", on: null, value: 0.25 },
  ];
  expect(trainingSteps([log]).rows()).toEqual([
    { seed: 0, step: 1, experience: 0, epoch: 0, loss: 3, task: 2, ewc: 1 },
    { seed: 0, step: 2, experience: 0, epoch: 0, loss: 1, task: 1, ewc: null },
  ]);
  expect(probeValues([log]).rows()).toEqual([
    { seed: 0, step: 2, experience: 0, name: "dormantUnits", layer: "hidden", on: null, value: 0.25 },
  ]);
  expect(probeValues([]).columnNames()).toEqual(["seed", "step", "experience", "name", "layer", "on", "value"]);
});

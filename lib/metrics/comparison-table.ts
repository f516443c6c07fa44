/** Methods side by side: the mean of every metric over seeds with its interval, the best in bold. */
import type { TrainEvent } from "../train/events.ts";
import { averageAccuracy } from "./average-accuracy.ts";
import { averageIncrementalAccuracy } from "./average-incremental-accuracy.ts";
import { forgetting } from "./forgetting.ts";
import { type DataFrame, frame } from "./frame.ts";
import type { Metric } from "./metric.ts";
import { escapeHtml, escapeLatex, escapeMarkdown } from "./parts/escape.ts";
import { type Interval, tInterval } from "./statistics.ts";

/** One method on one metric. */
export interface Compared extends Interval {
  /** The value of each seed; seeds for which the metric is not defined are left out. */
  readonly values: readonly number[];
  /** Whether no other method has a better mean. */
  readonly best: boolean;
  /** Why the metric is not defined; absent when it is. */
  readonly why?: string;
}

/** A table of methods by metrics. It shows itself in a notebook and in a terminal, and goes out as LaTeX, Markdown or a frame. */
export interface Comparison {
  readonly methods: readonly string[];
  readonly metrics: readonly Metric[];
  /** By method, then metric. */
  readonly cells: readonly (readonly Compared[])[];
  /** Methods without runs, each with the reason; shown below the table. */
  readonly absent: readonly string[];
  /** One row per method and metric: mean, low, high, n, best. */
  frame(): DataFrame;
  toText(): string;
  toHTML(): string;
  toMarkdown(): string;
  toLatex(options?: { readonly caption?: string; readonly label?: string }): string;
}

/** What can be said of a comparison. */
export interface ComparisonOptions {
  /** The columns; average accuracy, average incremental accuracy and Chaudhry's forgetting by default. */
  readonly metrics?: readonly Metric[];
  /** The coverage of the intervals; .95 by default. */
  readonly level?: number;
  /** Why a method has no runs, by its name. */
  readonly why?: Readonly<Record<string, string>>;
}

/**
 * Compares methods over seeds: each cell is `mean ± half of the t-interval`, the best mean of a column in bold.
 *
 * `methods` has the event logs of each method's runs, one per seed. Shares are shown in percent. A metric that is not defined
 * for a method shows a dash, and the reason when pointed at. A single seed has no interval.
 *
 * @example
 * ```ts
 * import { comparisonTable } from "thalweg";
 * const run = (accuracy: number) =>
 *   [{ type: "evaluated", at: "experience", step: 9, after: 0, on: 0, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }] as const;
 * const table = comparisonTable({ naive: [run(0.2), run(0.22)], replay: [run(0.8), run(0.84)] });
 * table.cells[1]?.[0]?.mean; // 0.82
 * ```
 */
export function comparisonTable(
  methods: Readonly<Record<string, readonly (readonly TrainEvent[])[]>>,
  {
    metrics = [averageAccuracy, averageIncrementalAccuracy, forgetting.chaudhry],
    level = 0.95,
    why: absent = {},
  }: ComparisonOptions = {},
): Comparison {
  const names = Object.keys(methods);
  const measured = Object.entries(methods).map(([name, runs]) =>
    metrics.map((metric) => {
      const results = runs.map((events) => metric(events));
      const values = results.flatMap(({ value }) => (value === undefined ? [] : [value]));
      const why = results.find((result) => result.value === undefined)?.why;
      return {
        ...tInterval(values, { level }),
        values,
        ...(values.length === 0 ? { why: why ?? absent[name] ?? "there is no run" } : {}),
      };
    }),
  );
  const cells = measured.map((row) =>
    row.map((cell, column) => {
      const others = measured.map((other) => other[column]!.mean).filter(Number.isFinite);
      const best = metrics[column]!.higherIsBetter ? Math.max(...others) : Math.min(...others);
      return { ...cell, best: names.length > 1 && cell.mean === best };
    }),
  );
  const made: Comparison = {
    methods: names,
    metrics,
    cells,
    absent: names.flatMap((name) => (absent[name] === undefined ? [] : [`${name}: ${absent[name]}`])),
    frame: () => asFrame(made),
    toText: () => asText(made),
    toHTML: () => asHtml(made),
    toMarkdown: () => asMarkdown(made),
    toLatex: (options) => asLatex(made, options),
  };
  const hidden = {
    [Symbol.for("Jupyter.display")]: () => ({
      "text/html": made.toHTML(),
      "text/markdown": made.toMarkdown(),
      "text/plain": made.toText(),
    }),
    [Symbol.for("nodejs.util.inspect.custom")]: () => made.toText(),
  };
  for (const key of Object.getOwnPropertySymbols(hidden)) {
    Object.defineProperty(made, key, { value: hidden[key as keyof typeof hidden], enumerable: false });
  }
  return Object.freeze(made);
}

/** The heading of a metric's column: its name, its unit, and the direction that is better. */
function heading({ metric, unit, higherIsBetter }: Metric): string {
  const words = metric.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `${words}${unit === "share" ? " (%)" : unit === "number" ? "" : ` (${unit})`} ${higherIsBetter ? "↑" : "↓"}`;
}

/** A cell as a reader sees it: `81.2 ± 0.9`. */
function cellText(cell: Compared, { unit }: Metric): string {
  if (cell.why !== undefined) return "–";
  const scale = unit === "share" ? 100 : 1;
  const digits = unit === "share" ? 1 : Math.abs(cell.mean) >= 100 ? 0 : 2;
  const mean = (cell.mean * scale).toFixed(digits).replace("-", "−");
  return cell.n < 2 ? mean : `${mean} ± ${((cell.high - cell.mean) * scale).toFixed(digits)}`;
}

function texts({ cells, metrics }: Comparison): string[][] {
  return cells.map((row) => row.map((cell, column) => cellText(cell, metrics[column]!)));
}

function asFrame({ methods, metrics, cells }: Comparison): DataFrame {
  return frame(
    methods.flatMap((method, row) =>
      metrics.map(({ metric }, column) => {
        const { mean, low, high, n, best } = cells[row]![column]!;
        return { method, metric, mean, low, high, n, best };
      }),
    ),
  );
}

function asText(table: Comparison): string {
  const head = ["method", ...table.metrics.map(heading)];
  const body = texts(table).map((row, index) => [
    table.methods[index]!,
    ...row.map((text, column) => `${table.cells[index]![column]!.best ? "*" : " "}${text}`),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)))
      .join("  ");
  return [
    line(head),
    widths.map((width) => "─".repeat(width)).join("──"),
    ...body.map(line),
    "* best mean",
    ...table.absent,
  ].join("\n");
}

function asHtml(table: Comparison): string {
  const cell = "padding:4px 12px;text-align:right";
  const head = table.metrics.map(
    (metric) => `<th style="${cell}" title="${escapeHtml(metric.formula)}">${escapeHtml(heading(metric))}</th>`,
  );
  const rows = texts(table).map((row, index) => {
    const shown = row.map((text, column) => {
      const { best, why, values } = table.cells[index]![column]!;
      const title = why ?? `seeds: ${values.map((value) => Number(value.toPrecision(4))).join(", ")}`;
      return `<td style="${cell}" title="${escapeHtml(title)}">${best ? `<b>${text}</b>` : text}</td>`;
    });
    return `<tr><th style="padding:4px 12px;text-align:left">${escapeHtml(table.methods[index]!)}</th>${shown.join("")}</tr>`;
  });
  return [
    `<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">`,
    `<thead style="border-bottom:1px solid currentColor"><tr><th style="padding:4px 12px;text-align:left">method</th>${head.join("")}</tr></thead>`,
    `<tbody>${rows.join("")}</tbody></table>`,
    ...table.absent.map((line) => `<div style="padding:4px 12px">${escapeHtml(line)}</div>`),
  ].join("");
}

function asMarkdown(table: Comparison): string {
  const rows = texts(table).map((row, index) => [
    escapeMarkdown(table.methods[index]!),
    ...row.map((text, column) => (table.cells[index]![column]!.best ? `**${text}**` : text)),
  ]);
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  return [
    line(["method", ...table.metrics.map(heading)]),
    line([":--", ...table.metrics.map(() => "--:")]),
    ...rows.map(line),
  ].join("\n");
}

function asLatex(
  table: Comparison,
  { caption, label }: { readonly caption?: string; readonly label?: string } = {},
): string {
  const arrows = (text: string): string => escapeLatex(text).replace("↑", "$\\uparrow$").replace("↓", "$\\downarrow$");
  const line = (row: readonly string[]): string => `    ${row.join(" & ")} \\\\`;
  const rows = texts(table).map((row, index) =>
    line([
      escapeLatex(table.methods[index]!),
      ...row.map((text, column) =>
        table.cells[index]![column]!.best ? `\\textbf{${escapeLatex(text)}}` : escapeLatex(text),
      ),
    ]),
  );
  return [
    "\\begin{table}",
    "  \\centering",
    ...(caption === undefined ? [] : [`  \\caption{${escapeLatex(caption)}}`]),
    ...(label === undefined ? [] : [`  \\label{${label}}`]),
    `  \\begin{tabular}{l${"r".repeat(table.metrics.length)}}`,
    "    \\toprule",
    line(["method", ...table.metrics.map((metric) => arrows(heading(metric)))]),
    "    \\midrule",
    ...rows,
    "    \\bottomrule",
    "  \\end{tabular}",
    "\\end{table}",
  ].join("\n");
}

/** Data frames: what tables of results are. Arquero's verbs, with a display of our own and the exports papers need. */
import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import { ColumnTable, table } from "arquero";
import { parquetWriteBuffer } from "hyparquet-writer";
import type { TrainEvent } from "../train/events.ts";
import { cellTexts, isNumeric } from "./parts/cell-text.ts";
import { escapeHtml, escapeLatex } from "./parts/escape.ts";

/** A value of a cell. Absent values are null. */
export type FrameValue = number | string | boolean | bigint | Date | null | undefined;

/** The rows shown of a long table, first and last together. */
const shownRows = 20;

/** What a frame needs of the `danfojs` or `danfojs-node` module. */
export interface Danfo<F> {
  readonly DataFrame: new (data: Record<string, unknown[]>) => F;
}

/**
 * A table of columns with every verb of arquero (`filter`, `derive`, `groupby`, `rollup`, `pivot`, `join`, …), each of which gives a
 * `DataFrame` again. It shows itself in a notebook as a table and in a terminal as text. Made by `frame`.
 */
export class DataFrame extends ColumnTable {
  /** The frame as plain rows. */
  rows(): Record<string, FrameValue>[] {
    return this.objects() as Record<string, FrameValue>[];
  }

  /** A table for a terminal: numbers to the right, the middle of a long table left out. `limit` is the most rows shown, 20 by default. */
  toText({ limit = shownRows }: { limit?: number } = {}): string {
    const { names, texts, numeric, gap } = shown(this, limit);
    const rows = [names, ...texts];
    const widths = names.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    const line = (row: readonly string[]): string =>
      row
        .map((text, column) => (numeric[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
        .join("  ")
        .trimEnd();
    const lines = [line(names), widths.map((width) => "─".repeat(width)).join("──"), ...texts.map(line)];
    if (gap !== undefined) lines.splice(2 + gap.at, 0, `⋮ ${gap.rows} more rows`);
    return lines.join("\n");
  }

  /** The table in LaTeX's booktabs style. `digits` is the most decimals shown, 4 by default. */
  toLatex({ caption, label, digits = 4 }: { caption?: string; label?: string; digits?: number } = {}): string {
    const { names, texts, numeric } = shown(this, Number.POSITIVE_INFINITY, digits);
    const line = (row: readonly string[]): string => `  ${row.map(escapeLatex).join(" & ")} \\\\`;
    const tabular = [
      `\\begin{tabular}{${numeric.map((right) => (right ? "r" : "l")).join("")}}`,
      "  \\toprule",
      line(names),
      "  \\midrule",
      ...texts.map(line),
      "  \\bottomrule",
      "\\end{tabular}",
    ];
    if (caption === undefined && label === undefined) return tabular.join("\n");
    return [
      "\\begin{table}",
      "  \\centering",
      ...(caption === undefined ? [] : [`  \\caption{${escapeLatex(caption)}}`]),
      ...(label === undefined ? [] : [`  \\label{${label}}`]),
      ...tabular.map((text) => `  ${text}`),
      "\\end{table}",
    ].join("\n");
  }

  /**
   * The same table as a danfo.js `DataFrame`, for those who have danfo.js installed: `frame.toDanfo(await import("danfojs-node"))`.
   *
   * Dates become ISO text, absent values NaN in columns of numbers, else null.
   */
  toDanfo<F>(danfo: Danfo<F>): F {
    const columns = this.columnNames().map((name): [string, unknown[]] => {
      const values = Array.from(this.array(name) as ArrayLike<FrameValue>);
      const absent = isNumeric(values) ? Number.NaN : null;
      return [name, values.map((value) => (value instanceof Date ? value.toISOString() : (value ?? absent)))];
    });
    return new danfo.DataFrame(Object.fromEntries(columns));
  }

  /** The frame as Parquet: whole numbers as INT32, other numbers as DOUBLE, the rest as what it is. */
  toParquet(): Uint8Array<ArrayBuffer> {
    const columnData = this.columnNames().map((name) => {
      const data = Array.from(this.array(name) as ArrayLike<FrameValue>, (value) => value ?? null);
      return { name, data, type: parquetType(name, data), nullable: data.includes(null) };
    });
    return new Uint8Array(parquetWriteBuffer({ columnData }));
  }

  /** Writes the frame to a file: `.csv`, `.json` (rows), `.parquet`, `.arrow`, `.md`, `.tex` or `.html`. */
  save(path: string): void {
    writeFileSync(path, contentFor(this, path));
  }

  /** What a notebook shows: an HTML table, and its text. */
  [Symbol.for("Jupyter.display")](): Record<string, string> {
    return { "text/html": displayHtml(this), "text/plain": this.toText() };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toText();
  }
}

/**
 * Makes a data frame of rows, or of columns by name.
 *
 * @example
 * ```ts
 * import { frame } from "thalweg";
 * const results = frame([
 *   { method: "naive", seed: 0, accuracy: 0.19 },
 *   { method: "replay", seed: 0, accuracy: 0.81 },
 *   { method: "replay", seed: 1, accuracy: 0.83 },
 * ]);
 * results.groupby("method").rollup({ accuracy: "d => op.mean(d.accuracy)" }).rows(); // replay: 0.82
 * frame({ step: [1, 2, 3], loss: [0.9, 0.5, 0.4] }).numRows(); // 3
 * ```
 */
export function frame(
  data: Iterable<Readonly<Record<string, FrameValue>>> | Readonly<Record<string, ArrayLike<FrameValue>>>,
): DataFrame {
  const columns = isRows(data) ? columnsOf([...data]) : lengthsAgree(data);
  const made = table(columns as Record<string, FrameValue[]>);
  return new DataFrame(made.data(), made.columnNames());
}

/** One row per evaluation of a run: which task, after which experience, at which step, and what came out. */
export function evaluations(runs: readonly (readonly TrainEvent[])[]): DataFrame {
  const names = "seed at step after on examples accuracy taskAware taskAgnostic loss";
  return eventFrame(runs, names, (event) => {
    if (event.type !== "evaluated") return undefined;
    const { at, step, after, on, examples, accuracy, taskAware, taskAgnostic, loss } = event;
    return { at, step, after, on, examples, accuracy, taskAware, taskAgnostic, loss };
  });
}

/** One row per update of the weights: the loss of its batch, and a column for each of the loss's terms and each projection's share. */
export function trainingSteps(runs: readonly (readonly TrainEvent[])[]): DataFrame {
  return eventFrame(runs, "seed step experience epoch loss", (event) => {
    if (event.type !== "step") return undefined;
    const { step, experience, epoch, loss, terms, projected, examples, accuracy } = event;
    const counted = examples === undefined ? {} : { examples };
    return {
      step,
      experience,
      epoch,
      loss,
      ...terms,
      ...projected,
      ...counted,
      ...(accuracy === undefined ? {} : { accuracy }),
    };
  });
}

/** One row per measurement of a probe: what was measured where, and its value. */
export function probeValues(runs: readonly (readonly TrainEvent[])[]): DataFrame {
  return eventFrame(runs, "seed step experience name layer on value", (event) => {
    if (event.type !== "probed") return undefined;
    const { step, experience, name, layer, on, value } = event;
    return { step, experience, name, layer, on, value };
  });
}

/** One row per event of a kind, the seed of its run in front; a frame without rows still has its columns. */
function eventFrame(
  runs: readonly (readonly TrainEvent[])[],
  names: string,
  rowOf: (event: TrainEvent) => Record<string, FrameValue> | undefined,
): DataFrame {
  const rows = runs.flatMap((events) => {
    const seed = events.find((event) => event.type === "started")?.seed ?? null;
    return events.flatMap((event) => {
      const row = rowOf(event);
      return row === undefined ? [] : [{ seed, ...row }];
    });
  });
  return rows.length > 0 ? frame(rows) : frame(Object.fromEntries(names.split(" ").map((name) => [name, []])));
}

function isRows(data: object): data is Iterable<Readonly<Record<string, FrameValue>>> {
  return Symbol.iterator in data;
}

function contentFor(frame: DataFrame, path: string): string | Uint8Array {
  switch (extname(path)) {
    case ".csv":
      return frame.toCSV();
    case ".json":
      return frame.toJSON({ type: "rows" });
    case ".parquet":
      return frame.toParquet();
    case ".arrow":
      return frame.toArrowIPC({ format: "file" });
    case ".md":
      return frame.toMarkdown();
    case ".tex":
      return `${frame.toLatex()}\n`;
    case ".html":
      return `<!doctype html>\n<meta charset="utf-8">\n${displayHtml(frame, Number.POSITIVE_INFINITY)}\n`;
    default:
      throw new Error(
        `save: a file name that ends in .csv, .json, .parquet, .arrow, .md, .tex or .html is required, got ${path}; name one of these`,
      );
  }
}

function parquetType(
  name: string,
  values: readonly FrameValue[],
): "BOOLEAN" | "INT32" | "INT64" | "DOUBLE" | "STRING" | "TIMESTAMP" {
  const kinds = new Set(
    values.filter((value) => value !== null).map((value) => (value instanceof Date ? "date" : typeof value)),
  );
  if (kinds.size > 1)
    throw new TypeError(
      `toParquet: one kind of value in a column is required, got ${[...kinds].join(" and ")} in ${name}`,
    );
  const [kind] = kinds;
  if (kind === "boolean") return "BOOLEAN";
  if (kind === "bigint") return "INT64";
  if (kind === "date") return "TIMESTAMP";
  if (kind !== "number") return "STRING";
  return values.every((value) => value === null || (value as number) === (Number(value) | 0)) ? "INT32" : "DOUBLE";
}

function columnsOf(rows: readonly Readonly<Record<string, FrameValue>>[]): Record<string, FrameValue[]> {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));
}

function lengthsAgree<T extends Readonly<Record<string, ArrayLike<FrameValue>>>>(columns: T): T {
  const [first, ...others] = Object.entries(columns);
  for (const [name, values] of others) {
    if (first !== undefined && values.length !== first[1].length) {
      throw new RangeError(
        `frame: columns of one length are required, got ${first[0]} with ${first[1].length} and ${name} with ${values.length}; fill what is missing with null`,
      );
    }
  }
  return columns;
}

/** The cells of a frame as text: all rows, or the first and last of a long table with the gap between them. */
function shown(frame: DataFrame, limit: number, digits?: number) {
  const names = frame.columnNames();
  const rows = frame.rows();
  const head = rows.length <= limit ? rows.length : Math.ceil(limit / 2);
  const kept = head === rows.length ? rows : [...rows.slice(0, head), ...rows.slice(rows.length - (limit - head))];
  const columns = names.map((name) =>
    cellTexts(
      kept.map((row) => row[name]),
      digits,
    ),
  );
  return {
    names,
    numeric: names.map((name) => isNumeric(rows.map((row) => row[name]))),
    texts: kept.map((_, row) => columns.map((column) => column[row]!)),
    gap: kept.length === rows.length ? undefined : { at: head, rows: rows.length - kept.length },
  };
}

function displayHtml(frame: DataFrame, limit = shownRows): string {
  const { names, texts, numeric, gap } = shown(frame, limit);
  const cell = (tag: "th" | "td") => (text: string, column: number) =>
    `<${tag} style="text-align:${numeric[column] ? "right" : "left"};padding:3px 10px">${escapeHtml(text)}</${tag}>`;
  const lines = texts.map((row) => `<tr>${row.map(cell("td")).join("")}</tr>`);
  if (gap !== undefined) {
    const note = `<td colspan="${names.length}" style="text-align:center;opacity:.6">⋮ ${gap.rows} more rows</td>`;
    lines.splice(gap.at, 0, `<tr>${note}</tr>`);
  }
  const total = `${frame.numRows()} ${frame.numRows() === 1 ? "row" : "rows"} × ${names.length}`;
  return [
    `<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">`,
    `<thead style="border-bottom:1px solid currentColor"><tr>${names.map(cell("th")).join("")}</tr></thead>`,
    `<tbody>${lines.join("")}</tbody></table>`,
    `<div style="opacity:.6;font-size:85%;padding:3px 10px">${total}</div>`,
  ].join("");
}

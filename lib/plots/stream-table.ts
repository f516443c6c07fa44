/** The experiences of a stream in numbers. */
import { type ExperienceTableOptions, experienceTable } from "../metrics/experience-table.ts";
import type { Stream } from "../streams/stream.ts";
import { type Figure, figure } from "./figure.ts";
import { warning } from "./parts/warning.ts";

/** What can be said of the picture of the table of a stream. */
export interface StreamTableOptions extends ExperienceTableOptions {
  readonly title?: string;
}

/** From the least to the most of a column. */
const amount = [
  [0, "#eff3ff"],
  [1, "#6baed6"],
] as const;

/**
 * Draws the table of a stream's experiences (`experienceTable`): a row for each, with its task where it has another number and its
 * classes (after a minus those to forget), a column for each number. Every column is coloured by itself, from its least to its most, so
 * that what is unlike the rest is seen.
 *
 * @example
 * ```ts
 * import { classes, digits, operators, streamTable } from "thalweg";
 * streamTable(operators.split(5)(classes(digits()))).toText(); // "What each experience holds…"
 * ```
 */
export function streamTable(
  stream: Stream,
  { title = "What each experience holds", experiences = 24, ...options }: StreamTableOptions = {},
): Figure {
  const rows = experienceTable(stream, { ...options, experiences }).rows();
  const columns = Object.keys(rows[0]!).filter(
    (name) => !["experience", "task", "classes", "forget", "client"].includes(name),
  );
  const number = (row: (typeof rows)[number], name: string): number => Number(row[name]);
  const shade = columns.map((name) => {
    const all = rows.map((row) => number(row, name));
    const [least, most] = [Math.min(...all), Math.max(...all)];
    return (value: number): number => (most > least ? (value - least) / (most - least) : 0);
  });
  const name = (row: (typeof rows)[number]): string =>
    [
      row.experience,
      row.task === row.experience ? "" : `task ${row.task}`,
      row.forget ? `− ${row.forget}` : row.classes,
    ]
      .map(short)
      .filter((part) => part !== "")
      .join(" · ");
  return figure({
    data: [
      {
        type: "heatmap",
        x: columns,
        y: rows.map(name),
        z: rows.map((row) => columns.map((column, i) => shade[i]!(number(row, column)))),
        text: rows.map((row) => columns.map((column) => written(number(row, column)))),
        texttemplate: "%{text}",
        hovertemplate: "%{y}: %{text} %{x}<extra></extra>",
        colorscale: amount,
        zmin: 0,
        zmax: 1,
        xgap: 2,
        ygap: 2,
        showscale: false,
      },
    ],
    layout: {
      title: {
        text: title,
        subtitle: { text: ["each column coloured from its least to its most", ...warning(stream)].join(" · ") },
      },
      height: Math.min(900, 150 + 26 * Math.max(3, rows.length)),
      xaxis: { type: "category" },
      yaxis: { type: "category", title: { text: "experience" }, autorange: "reversed" },
    },
  });
}

function written(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

/** A text with its end left out where it is long. */
function short(text: unknown): string {
  const all = String(text ?? "");
  return all.length > 14 ? `${all.slice(0, 13)}…` : all;
}

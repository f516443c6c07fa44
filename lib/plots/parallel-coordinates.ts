/** A sweep in one picture: every run a line across its settings to its result. */
import type { DataFrame } from "../metrics/frame.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { colourOn, stopsOf } from "./parts/colour.ts";
import { numberText } from "./parts/number-text.ts";
import type { Annotation } from "./parts/plotly.ts";

/** What can be said of parallel coordinates. */
export interface ParallelCoordinatesOptions {
  /** The columns from left to right; all by default. The last one colours the lines. */
  readonly columns?: readonly string[];
  /** Columns of numbers that are spread by their logarithm. */
  readonly log?: readonly string[];
  readonly title?: string;
}

/**
 * Draws each row of a frame as a line through its values, one upright axis per column, coloured by the last column.
 *
 * Each axis runs from its least to its greatest value; columns of text have their values in order of appearance.
 * Rows without a value in the last column are left out. Brighter lines are drawn over darker ones.
 *
 * @example
 * ```ts
 * import { frame, parallelCoordinates } from "thalweg";
 * const sweep = frame([
 *   { lr: 0.1, strategy: "naive", accuracy: 0.2 },
 *   { lr: 0.01, strategy: "replay", accuracy: 0.8 },
 * ]);
 * parallelCoordinates(sweep, { log: ["lr"] }).layout.title?.text; // "Settings and accuracy"
 * ```
 */
export function parallelCoordinates(
  frame: DataFrame,
  { columns = frame.columnNames(), log = [], title }: ParallelCoordinatesOptions = {},
): Figure {
  const rows = frame.rows();
  const axes = columns.map((name) =>
    axisOf(
      name,
      rows.map((row) => row[name]),
      log.includes(name),
    ),
  );
  const result = axes.at(-1);
  if (result === undefined || axes.length < 2) {
    throw new RangeError(
      `parallelCoordinates: two columns or more are required, got ${columns.length}; name settings and the result`,
    );
  }
  const lines = rows
    .map((row) => ({ row, heights: axes.map((axis) => axis.height(row[axis.name])) }))
    .filter(({ heights }) => Number.isFinite(heights.at(-1)))
    .sort((a, b) => a.heights.at(-1)! - b.heights.at(-1)!);
  const data = lines.map(
    ({ row, heights }): Trace => ({
      type: "scatter",
      name: columns.map((name) => `${name} ${String(row[name])}`).join(", "),
      x: columns.map((_, index) => index),
      y: heights.map((height) => (Number.isFinite(height) ? height : null)),
      line: { color: colourOn("accuracy", heights.at(-1)!), width: 1.6 },
      opacity: lines.length > 40 ? 0.5 : 0.85,
      showlegend: false,
    }),
  );
  const ends = axes.flatMap((axis, index): Annotation[] =>
    axis.ticks.map(({ text, height }) => ({
      text,
      x: index,
      y: height,
      xanchor: index === axes.length - 1 ? "left" : "right",
      yanchor: height === 0 ? "bottom" : height === 1 ? "top" : "middle",
      showarrow: false,
      font: { size: 11.5 },
    })),
  );
  return figure({
    data,
    layout: {
      title: {
        text: title ?? `Settings and ${result.name}`,
        subtitle: { text: `${lines.length} runs, coloured by ${result.name}` },
      },
      xaxis: {
        tickvals: columns.map((_, index) => index),
        ticktext: columns,
        range: [-0.35, columns.length - 0.65],
        showgrid: false,
        side: "top",
      },
      yaxis: { visible: false, range: [-0.03, 1.03] },
      colorway: stopsOf("accuracy").map(([, colour]) => colour),
      shapes: columns.map((_, index) => ({
        type: "line" as const,
        layer: "below" as const,
        x0: index,
        x1: index,
        y0: 0,
        y1: 1,
        line: { color: "#7a828c", width: 1 },
      })),
      annotations: ends,
    },
  });
}

/** One upright axis: where a value lies on it, from 0 to 1, and which values are written at it. */
function axisOf(name: string, values: readonly unknown[], log: boolean) {
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  if (values.every((value) => value === null || value === undefined || typeof value === "number")) {
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    const scaled = (value: number): number => (log ? Math.log(value) : value);
    const span = scaled(most) - scaled(least);
    const height = (value: unknown): number =>
      typeof value === "number" ? (span === 0 ? 0.5 : (scaled(value) - scaled(least)) / span) : Number.NaN;
    const written = least === most ? [least] : [least, most];
    return {
      name,
      height,
      ticks: written.map((value) => ({ text: numberText(Number(value.toPrecision(3))), height: height(value) })),
    };
  }
  const names = [...new Set(values.map(String))];
  const height = (value: unknown): number =>
    names.length === 1 ? 0.5 : names.indexOf(String(value)) / (names.length - 1);
  return { name, height, ticks: names.map((text) => ({ text, height: height(text) })) };
}

/** A comparison of methods as bars: one panel per metric, one bar per method, intervals over seeds. */
import type { Comparison } from "../metrics/comparison-table.ts";
import { type Figure, figure, type Layout, type Trace } from "./figure.ts";
import { colourAt } from "./parts/colour.ts";
import { panelAt } from "./parts/panels.ts";
import type { Annotation } from "./parts/plotly.ts";

/**
 * Draws the table of `comparisonTable`: methods from top to bottom, metrics from left to right, 95% t-intervals as error bars.
 *
 * @example
 * ```ts
 * import { comparisonBars, comparisonTable } from "thalweg";
 * const run = (accuracy: number) =>
 *   [{ type: "evaluated", at: "experience", step: 9, after: 0, on: 0, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }] as const;
 * comparisonBars(comparisonTable({ naive: [run(0.2)], replay: [run(0.8)] })).data.length; // 3: one trace per metric
 * ```
 */
export function comparisonBars({ methods, metrics, cells }: Comparison): Figure {
  const data: Trace[] = [];
  const headings: Annotation[] = [];
  let layout: Layout = {};
  for (const [index, metric] of metrics.entries()) {
    const column = cells.map((row) => row[index]!);
    const panel = panelAt(
      index,
      { columns: metrics.length, rows: 1, gapX: 0.05 },
      {
        x: metric.unit === "share" ? { tickformat: ".0%" } : {},
        y: { type: "category", autorange: "reversed", showticklabels: index === 0, categoryarray: methods },
      },
    );
    layout = { ...layout, ...panel.layout };
    headings.push(panel.heading(twoLines(`${words(metric.metric)} ${metric.higherIsBetter ? "↑" : "↓"}`)));
    const halves = column.map(({ mean, high }) => (Number.isFinite(high) ? high - mean : 0));
    data.push({
      type: "bar",
      orientation: "h",
      name: metric.metric,
      x: column.map(({ mean }) => (Number.isFinite(mean) ? mean : null)),
      y: methods,
      marker: { color: methods.map((_, row) => colourAt(row)) },
      ...(halves.some((half) => half > 0) ? { error_x: { type: "data", array: halves } } : {}),
      showlegend: false,
      ...panel.axes,
    });
  }
  const seeds = Math.max(0, ...cells.flat().map(({ n }) => n));
  return figure({
    data,
    layout: {
      title: {
        text: "Comparison",
        subtitle: {
          text:
            seeds > 1 ? `mean and 95% interval of ${seeds} seeds; arrows point to better` : "arrows point to better",
        },
      },
      height: 150 + 34 * Math.max(2, methods.length),
      annotations: headings,
      ...layout,
    },
  });
}

/** `averageAccuracy` as words; the name of a definition keeps its dot. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A long heading in two lines. */
function twoLines(text: string): string {
  const middle = text.indexOf(" ", text.length / 3);
  return text.length > 24 && middle > 0 && middle < text.length - 2
    ? `${text.slice(0, middle)}<br>${text.slice(middle + 1)}`
    : text;
}

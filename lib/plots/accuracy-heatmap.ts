/** The accuracy matrix as a picture. */
import { accuracyMatrix, type Rule } from "../metrics/accuracy-matrix.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure } from "./figure.ts";

/** What can be said of the picture of an accuracy matrix. */
export interface AccuracyHeatmapOptions {
  /** Which columns compete when an example is classified; the stream's own rule by default. */
  readonly rule?: Rule;
  /** Names of the tasks; `task 0`, `task 1`, … by default. */
  readonly tasks?: readonly string[];
  readonly title?: string;
}

/**
 * Draws the accuracy matrix of a run, or the mean over runs: a row per experience, a column per task.
 *
 * Cells above the diagonal are tasks not met yet; a cell that was not evaluated stays empty. The row before training is drawn
 * when it was evaluated.
 *
 * @example
 * ```ts
 * import { accuracyHeatmap } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", step: 10, examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * const run = [
 *   { ...shared, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, after: 1, on: 1, accuracy: 0.8 },
 * ];
 * accuracyHeatmap([run]).toText(); // "Accuracy after each experience…"
 * ```
 */
export function accuracyHeatmap(
  runs: readonly (readonly TrainEvent[])[],
  { rule = "stream", tasks, title = "Accuracy after each experience" }: AccuracyHeatmapOptions = {},
): Figure {
  const matrices = runs.map((events) => accuracyMatrix(events, { rule }));
  const columns = Math.max(0, ...matrices.map((matrix) => matrix.tasks));
  const longest = matrices.reduce(
    (a, b) => (b.values.length > a.values.length ? b : a),
    matrices[0] ?? accuracyMatrix([]),
  );
  const tested = matrices.some((matrix) => matrix.initial.some((value) => !Number.isNaN(value)));
  const means = [
    ...(tested
      ? [
          columnMeans(
            matrices.map((matrix) => matrix.initial),
            columns,
          ),
        ]
      : []),
    ...longest.values.map((_, row) =>
      columnMeans(
        matrices.flatMap(({ values }) => (values[row] ? [values[row]] : [])),
        columns,
      ),
    ),
  ];
  const names = [...(tested ? ["before"] : []), ...longest.experiences.map((experience) => `after ${experience}`)];
  return figure({
    data: [
      {
        type: "heatmap",
        z: means,
        x: tasks ?? Array.from({ length: columns }, (_, task) => `task ${task}`),
        y: names,
        text: means.map((row) =>
          row.map((value) => (Number.isNaN(value) ? "" : (100 * value).toFixed(value === 1 ? 0 : 1))),
        ),
        texttemplate: "%{text}",
        zmin: 0,
        zmax: 1,
        xgap: 2,
        ygap: 2,
        colorbar: { tickformat: ".0%" },
        hovertemplate: "%{y}, %{x}: %{z:.1%}<extra></extra>",
      },
    ],
    layout: {
      title: { text: title, subtitle: { text: subtitle(runs.length, rule) } },
      height: Math.min(600, 160 + 34 * Math.max(4, names.length)),
      xaxis: { type: "category", side: "top", title: { text: "evaluated on" } },
      yaxis: { type: "category", autorange: "reversed", title: { text: "experience" } },
    },
  });
}

function subtitle(runs: number, rule: Rule): string {
  const over = runs === 1 ? "test accuracy in percent" : `test accuracy in percent, mean of ${runs} seeds`;
  return rule === "stream" ? over : `${over}, task-${rule}`;
}

/** The mean of each column over rows that may be shorter. */
function columnMeans(rows: readonly (readonly number[])[], columns: number): number[] {
  return Array.from({ length: columns }, (_, column) => {
    const values = rows.map((row) => row[column] ?? Number.NaN);
    return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

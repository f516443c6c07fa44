/** Where two runs part: the difference of their accuracies, cell by cell. */
import { type AccuracyMatrix, accuracyMatrix, type Rule } from "../metrics/accuracy-matrix.ts";
import { mean } from "../metrics/parts/summaries.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure } from "./figure.ts";

/** What can be said of a difference. */
export interface RunDifferenceOptions {
  /** What the two are called. */
  readonly names?: readonly [string, string];
  readonly tasks?: readonly string[];
  readonly rule?: Rule;
}

/**
 * Draws the accuracy matrix of one method minus that of another, in points; each is the mean over its runs.
 *
 * Blue cells are better in the first, brown ones in the second; cells that one of them lacks stay empty.
 *
 * @example
 * ```ts
 * import { runDifference } from "thalweg";
 * const run = (accuracy: number) =>
 *   [{ type: "evaluated", at: "experience", step: 9, after: 0, on: 0, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }] as const;
 * runDifference([run(0.8)], [run(0.5)], { names: ["replay", "naive"] }).toText(); // after 0, task 0: +30.0
 * ```
 */
export function runDifference(
  first: readonly (readonly TrainEvent[])[],
  second: readonly (readonly TrainEvent[])[],
  { names = ["first", "second"], tasks, rule = "stream" }: RunDifferenceOptions = {},
): Figure {
  const [a, b] = [first, second].map((runs) => runs.map((events) => accuracyMatrix(events, { rule }))) as [
    AccuracyMatrix[],
    AccuracyMatrix[],
  ];
  const rows = Math.max(0, ...[...a, ...b].map(({ values }) => values.length));
  const columns = Math.max(0, ...[...a, ...b].map((matrix) => matrix.tasks));
  const cell = (of: readonly AccuracyMatrix[], row: number, column: number): number =>
    mean(of.map(({ values }) => values[row]?.[column] ?? Number.NaN));
  const z = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => cell(a, row, column) - cell(b, row, column)),
  );
  const largest = Math.max(0.01, ...z.flat().filter(Number.isFinite).map(Math.abs));
  const signed = (value: number): string =>
    `${value > 0 ? "+" : value < 0 ? "−" : ""}${(100 * Math.abs(value)).toFixed(1)}`;
  return figure({
    data: [
      {
        type: "heatmap",
        z,
        x: tasks ?? Array.from({ length: columns }, (_, task) => `task ${task}`),
        y: Array.from({ length: rows }, (_, row) => `after ${row}`),
        text: z.map((row) => row.map((value) => (Number.isFinite(value) ? signed(value) : ""))),
        texttemplate: "%{text}",
        colorscale: "difference",
        zmin: -largest,
        zmax: largest,
        xgap: 2,
        ygap: 2,
        colorbar: { tickformat: ".0%" },
      },
    ],
    layout: {
      title: {
        text: `${names[0]} − ${names[1]}`,
        subtitle: { text: `difference of test accuracy in points; blue: ${names[0]} is better` },
      },
      height: Math.min(560, 130 + 34 * Math.max(4, rows)),
      xaxis: { type: "category", side: "top", title: { text: "evaluated on" } },
      yaxis: { type: "category", autorange: "reversed", title: { text: "experience" } },
    },
  });
}

/** How accuracy on every task rises and falls while the stream is learned. */
import type { Rule } from "../metrics/accuracy-matrix.ts";
import { averageCurve, evaluationsOf } from "../metrics/parts/curves.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Layout } from "./figure.ts";
import { bandTraces, overSeeds } from "./parts/bands.ts";
import { boundaryLines } from "./parts/boundaries.ts";
import { colourAt, colourOn, neutral } from "./parts/colour.ts";

/** What can be said of the picture of accuracy curves. */
export interface AccuracyCurvesOptions {
  readonly rule?: Rule;
  /** Names of the tasks; `task 0`, `task 1`, … by default. */
  readonly tasks?: readonly string[];
  readonly title?: string;
}

/**
 * Draws test accuracy on each task, and the average over the tasks met so far, against the training step.
 *
 * Given several runs, lines are means over seeds and bands their 95% t-intervals (of two runs, the range). Upright lines are the boundaries of experiences.
 *
 * @example
 * ```ts
 * import { accuracyCurves } from "thalweg";
 * const shared = { type: "evaluated", at: "experience", examples: 100, loss: 1, taskAware: 1, taskAgnostic: 1 } as const;
 * const run = [
 *   { ...shared, step: 100, after: 0, on: 0, accuracy: 0.9 },
 *   { ...shared, step: 200, after: 1, on: 0, accuracy: 0.6 },
 *   { ...shared, step: 200, after: 1, on: 1, accuracy: 0.8 },
 * ];
 * accuracyCurves([run]).data.length; // 3: two tasks and their average
 * ```
 */
export function accuracyCurves(
  runs: readonly (readonly TrainEvent[])[],
  { rule = "stream", tasks, title = "Accuracy while learning" }: AccuracyCurvesOptions = {},
): Figure {
  const found = runs.map((events) => evaluationsOf(events, rule));
  const columns = Math.max(0, ...found.map((run) => run.tasks));
  const few = columns <= 7;
  const told = ["test accuracy on each task", overSeeds(runs.length)].filter((part) => part !== "").join(", ");
  const perTask = Array.from({ length: columns }, (_, task) =>
    bandTraces(
      found.map((run) => run.curves[task] ?? { x: [], y: [] }),
      {
        name: tasks?.[task] ?? `task ${task}`,
        colour: few ? colourAt(task) : colourOn("accuracy", (0.9 * task) / (columns - 1)),
        width: few ? 1.8 : 1.3,
        band: few,
        limits: [0, 1],
        showlegend: few || task % Math.ceil(columns / 6) === 0,
      },
    ),
  ).flat();
  const average = bandTraces(found.map(averageCurve), {
    name: "average so far",
    colour: neutral,
    width: 3,
    dash: "dash",
    limits: [0, 1],
  });
  return figure({
    data: [...perTask, ...average],
    layout: {
      title: { text: title, subtitle: { text: told } },
      xaxis: { title: { text: "training step" } },
      yaxis: { title: { text: "accuracy" }, tickformat: ".0%", range: [0, 1.02] },
      hovermode: "x unified",
      ...boundaryLines(runs[0] ?? []),
    } satisfies Layout,
  });
}

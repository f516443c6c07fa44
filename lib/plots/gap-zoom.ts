/** The stability gap, seen from close by: what happens to old tasks in the first steps of a new one. */
import { type Curve, evaluationsOf } from "../metrics/parts/curves.ts";
import { mean } from "../metrics/parts/summaries.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { bandTraces, meanCurve } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";
import type { Annotation, Shape } from "./parts/plotly.ts";

/** What can be said of the zoom. */
export interface GapZoomOptions {
  /** The experience whose beginning is shown; the second by default. */
  readonly experience?: number;
  /** How many steps before and after the boundary are shown; 50 and 150 by default. */
  readonly stepsBefore?: number;
  readonly stepsAfter?: number;
  readonly tasks?: readonly string[];
}

/**
 * Draws accuracy on the tasks learned before an experience against the steps from its beginning, mean and 95% interval over runs.
 *
 * The dotted line is the mean accuracy before the boundary; the label says how far it falls and when. Needs evaluations every few steps.
 *
 * @example
 * ```ts
 * import { gapZoom } from "thalweg";
 * const at = (step: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "step", step, after: 1, on: 0, accuracy, examples: 9, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const boundary = (experience: number, step: number) =>
 *   ({ type: "boundary", step, experience, task: experience, examples: 9, classes: [experience], steps: 100 }) as const;
 * const run = [boundary(0, 0), at(90, 0.9), boundary(1, 100), at(110, 0.4), at(150, 0.8)];
 * gapZoom([run]).layout.annotations?.[0]?.text; // "−50 points after 10 steps"
 * ```
 */
export function gapZoom(
  runs: readonly (readonly TrainEvent[])[],
  { experience = 1, stepsBefore = 50, stepsAfter = 150, tasks }: GapZoomOptions = {},
): Figure {
  const starts = runs.map((events) => boundaryStep(events, experience));
  const found = runs.map((events) => evaluationsOf(events));
  const columns = Math.max(0, ...found.map((run) => run.tasks));
  const old = Array.from({ length: columns }, (_, task) => task).filter((task) =>
    found.some((run, index) => run.learnedAt[task]! <= starts[index]!),
  );
  const around = (task: number): Curve[] =>
    found.map(({ curves, learnedAt }, index) =>
      learnedAt[task]! <= starts[index]!
        ? shifted(curves[task]!, starts[index]!, -stepsBefore, stepsAfter)
        : { x: [], y: [] },
    );
  const data = old.flatMap((task): Trace[] =>
    bandTraces(around(task), {
      name: tasks?.[task] ?? `task ${task}`,
      colour: colourAt(task),
      width: 2,
      limits: [0, 1],
    }),
  );
  const fall = fallOf(old.map((task) => meanCurve(around(task))));
  return figure({
    data,
    layout: {
      title: {
        text: "Stability gap",
        subtitle: {
          text: `accuracy on earlier tasks as experience ${experience} begins${runs.length > 1 ? `, ${runs.length} seeds` : ""}`,
        },
      },
      xaxis: { title: { text: "steps since the boundary" }, range: [-stepsBefore, stepsAfter] },
      yaxis: { title: { text: "accuracy" }, tickformat: ".0%" },
      showlegend: true,
      shapes: [
        {
          type: "line",
          layer: "below",
          x0: 0,
          x1: 0,
          y0: 0,
          y1: 1,
          yref: "y domain",
          line: { color: "#7a828c", width: 1.5 },
        },
        ...(fall === undefined ? [] : [level(fall.before, stepsBefore, stepsAfter)]),
      ],
      annotations: fall === undefined ? [] : [note(fall, stepsAfter)],
    },
  });
}

function boundaryStep(events: readonly TrainEvent[], experience: number): number {
  const found = events.find((event) => event.type === "boundary" && event.experience === experience);
  if (found === undefined) {
    throw new RangeError(
      `gapZoom: an experience that every run has begun is required, got ${experience}; the first is 0 and has nothing before it`,
    );
  }
  return found.step;
}

function shifted({ x, y }: Curve, start: number, low: number, high: number): Curve {
  const places = x.flatMap((step, index) => (step - start >= low && step - start <= high ? [index] : []));
  return { x: places.map((index) => x[index]! - start), y: places.map((index) => y[index]!) };
}

interface Fall {
  readonly before: number;
  readonly lowest: number;
  readonly step: number;
}

/** How far the mean over tasks falls after the boundary, and when it is lowest. */
function fallOf(curves: readonly { x: readonly number[]; mean: readonly number[] }[]): Fall | undefined {
  const at = new Map<number, number[]>();
  for (const curve of curves) {
    for (const [index, step] of curve.x.entries()) at.set(step, [...(at.get(step) ?? []), curve.mean[index]!]);
  }
  const means = [...at].map(([step, values]) => ({ step, value: mean(values) })).sort((a, b) => a.step - b.step);
  const before = means.findLast(({ step }) => step <= 0)?.value;
  const after = means.filter(({ step }) => step > 0);
  if (before === undefined || after.length === 0) return undefined;
  const lowest = after.reduce((a, b) => (b.value < a.value ? b : a));
  return { before, lowest: lowest.value, step: lowest.step };
}

function level(value: number, before: number, after: number): Shape {
  return {
    type: "line",
    layer: "below",
    x0: -before,
    x1: after,
    y0: value,
    y1: value,
    line: { color: "#7a828c", width: 1, dash: "dot" },
  };
}

function note({ before, lowest, step }: Fall, end: number): Annotation {
  const points = Math.round(100 * (before - lowest));
  const text = points > 0 ? `−${points} points after ${step} steps` : "no fall";
  return {
    text,
    x: step,
    y: lowest,
    xanchor: step > 0.6 * end ? "right" : "left",
    yanchor: "top",
    showarrow: false,
    font: { size: 12.5 },
  };
}

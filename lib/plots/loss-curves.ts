/** The training loss and what each term of it adds. */
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure } from "./figure.ts";
import { bandTraces, type Curve } from "./parts/bands.ts";
import { boundaryLines } from "./parts/boundaries.ts";
import { colourAt } from "./parts/colour.ts";

/** What can be said of loss curves. */
export interface LossCurvesOptions {
  /** Steps averaged into one point; by default so many that about 200 points are drawn. */
  readonly everySteps?: number;
  /** A logarithmic axis; true by default when losses span more than a factor of 30. */
  readonly log?: boolean;
}

/**
 * Draws every term of the training loss against the step, averaged over a few steps, mean and 95% interval over runs.
 *
 * A penalty that stays at zero, or one that drowns the task's loss, shows at once.
 *
 * @example
 * ```ts
 * import { lossCurves } from "thalweg";
 * const step = (step: number, task: number) =>
 *   ({ type: "step", step, experience: 0, epoch: 0, loss: task + 0.1, terms: { task, ewc: 0.1 } }) as const;
 * lossCurves([[step(1, 2), step(2, 1)]]).data.map(({ name }) => name); // ["task", "ewc"]
 * ```
 */
export function lossCurves(
  runs: readonly (readonly TrainEvent[])[],
  { everySteps, log }: LossCurvesOptions = {},
): Figure {
  const steps = runs.map((events) => events.flatMap((event) => (event.type === "step" ? [event] : [])));
  const names = [...new Set(steps.flat().flatMap(({ terms }) => Object.keys(terms)))];
  const last = Math.max(1, ...steps.map((taken) => taken.at(-1)?.step ?? 0));
  const width = everySteps ?? Math.max(1, Math.round(last / 200));
  const curves = names.map((name) => steps.map((taken) => averaged(taken, name, width)));
  const values = curves
    .flat(2)
    .flatMap(({ y }) => y)
    .filter((value) => value > 0);
  const spread = Math.max(...values) / Math.min(...values);
  const logarithmic = log ?? spread > 30;
  return figure({
    data: names.flatMap((name, index) =>
      bandTraces(curves[index]!, { name, colour: colourAt(index), width: 1.6, limits: [0, Number.POSITIVE_INFINITY] }),
    ),
    layout: {
      title: {
        text: "Training loss",
        subtitle: { text: width === 1 ? "every term, batch by batch" : `every term, averaged over ${width} steps` },
      },
      xaxis: { title: { text: "training step" } },
      yaxis: {
        title: { text: "loss (nats)" },
        type: logarithmic ? "log" : "linear",
        ...(logarithmic ? {} : { rangemode: "tozero" }),
      },
      showlegend: true,
      hovermode: "x unified",
      ...boundaryLines(runs[0] ?? []),
    },
  });
}

/** The mean of a term over every `width` steps, at the last step of each group. */
function averaged(steps: readonly (TrainEvent & { type: "step" })[], name: string, width: number): Curve {
  const groups = new Map<number, number[]>();
  for (const { step, terms } of steps) {
    const value = terms[name];
    if (value === undefined) continue;
    const group = Math.ceil(step / width) * width;
    groups.set(group, [...(groups.get(group) ?? []), value]);
  }
  return {
    x: [...groups.keys()],
    y: [...groups.values()].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
  };
}

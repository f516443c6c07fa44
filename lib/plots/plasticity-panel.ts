/** Whether a network can still learn, at a glance: what its probes measured, and how well each new task was learned. */
import { accuracyMatrix } from "../metrics/accuracy-matrix.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Layout, type Trace } from "./figure.ts";
import { bandTraces, type Curve, overSeeds } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";
import { panelAt } from "./parts/panels.ts";
import type { Annotation } from "./parts/plotly.ts";

/** What each probe measures, as a panel says it, and how its axis counts. */
const known: Readonly<Record<string, { readonly title: string; readonly tickformat?: string }>> = {
  dormantUnits: { title: "dormant units", tickformat: ".0%" },
  effectiveRank: { title: "effective rank of features" },
  stableRank: { title: "stable rank" },
  weightMagnitude: { title: "mean |weight|" },
  gradientNorm: { title: "norm of the gradient" },
};

/**
 * Draws a panel for everything that probes measured, and one for the accuracy on each task right after it was learned.
 *
 * A line per layer against the training step, mean and 95% interval over runs. `names` chooses what is drawn, all of the usual by default.
 * Falling accuracy on new tasks with growing weights or dying units is loss of plasticity.
 *
 * @example
 * ```ts
 * import { plasticityPanel } from "thalweg";
 * const probed = (step: number, value: number) =>
 *   ({ type: "probed", step, experience: 0, name: "dormantUnits", layer: "hidden", on: null, value }) as const;
 * plasticityPanel([[probed(1, 0), probed(2, 0.1)]]).data.length; // 1
 * ```
 */
export function plasticityPanel(
  runs: readonly (readonly TrainEvent[])[],
  {
    names = Object.keys(known),
    title = "Plasticity",
  }: { readonly names?: readonly string[]; readonly title?: string } = {},
): Figure {
  const measured = names.filter((name) =>
    runs.some((events) => events.some((event) => event.type === "probed" && event.name === name)),
  );
  const learned = runs.map(learnedCurve);
  const withAccuracy = learned.some(({ x }) => x.length > 0);
  const count = measured.length + (withAccuracy ? 1 : 0);
  const columns = count > 1 ? 2 : 1;
  const rows = Math.max(1, Math.ceil(count / columns));
  const layers = layersOf(runs, measured);
  const data: Trace[] = [];
  const headings: Annotation[] = [];
  let layout: Layout = {};
  const place = (index: number, title: string, step: string, tickformat?: string) => {
    const bottom = index >= count - columns;
    const x = { ...(bottom ? { title: { text: step } } : {}), ...(step === "experience" ? { dtick: 1 } : {}) };
    const panel = panelAt(
      index,
      { columns, rows, gapX: 0.16, gapY: 0.24 },
      { x, y: tickformat === undefined ? {} : { tickformat } },
    );
    layout = { ...layout, ...panel.layout };
    headings.push(panel.heading(title));
    return panel.axes;
  };
  for (const [index, name] of measured.entries()) {
    const { title, tickformat } = known[name] ?? { title: name };
    const axes = place(index, title, "training step", tickformat);
    for (const [order, layer] of layers.entries()) {
      const curves = runs.map((events) => probeCurve(events, name, layer));
      if (curves.every(({ x }) => x.length === 0)) continue;
      const first = !data.some((trace) => trace.legendgroup === (layer ?? "network"));
      data.push(...bandTraces(curves, { name: layer ?? "network", colour: colourAt(order), showlegend: first, axes }));
    }
  }
  if (withAccuracy) {
    const axes = place(measured.length, "accuracy right after learning", "experience", ".0%");
    data.push(
      ...bandTraces(learned, {
        name: "new task",
        colour: colourAt(5),
        markers: true,
        showlegend: false,
        axes,
        limits: [0, 1],
      }),
    );
  }
  return figure({
    data,
    layout: {
      title: {
        text: title,
        ...(runs.length > 1 ? { subtitle: { text: overSeeds(runs.length) } } : {}),
      },
      height: 110 + 170 * rows,
      annotations: headings,
      ...layout,
    },
  });
}

function layersOf(runs: readonly (readonly TrainEvent[])[], names: readonly string[]): (string | null)[] {
  const layers = runs.flatMap((events) =>
    events.flatMap((event) => (event.type === "probed" && names.includes(event.name) ? [event.layer] : [])),
  );
  return [...new Set(layers)];
}

function probeCurve(events: readonly TrainEvent[], name: string, layer: string | null): Curve {
  const found = events.flatMap((event) =>
    event.type === "probed" && event.name === name && event.layer === layer ? [event] : [],
  );
  return { x: found.map(({ step }) => step), y: found.map(({ value }) => value) };
}

/** The accuracy on the task of each experience right after it. */
function learnedCurve(events: readonly TrainEvent[]): Curve {
  const { values, visits, experiences } = accuracyMatrix(events);
  const first = visits.filter(({ task }, i) => visits.findIndex((visit) => visit.task === task) === i);
  const found = first.map(({ task, row }) => ({ x: experiences[row]!, y: values[row]![task]! }));
  return { x: found.map(({ x }) => x), y: found.map(({ y }) => y) };
}

/** What a memory holds, class by class, as the stream goes by. */
import type { Probed, TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { colourAt, colourOn } from "./parts/colour.ts";

/** What a buffer held after each experience. */
export interface BufferContents {
  /** By experience, then class: how many examples are kept. */
  readonly counts: readonly (readonly number[])[];
  readonly classes?: readonly string[];
  /** How many examples fit; drawn as a line. */
  readonly capacity?: number;
}

/**
 * Draws how many examples of each class a buffer holds after each experience, as stacked bars.
 *
 * Classes that a buffer has lost are gaps in later bars. More than seven classes are coloured from dark (first) to bright (last).
 *
 * @example
 * ```ts
 * import { bufferContents } from "thalweg";
 * bufferContents({ counts: [[10, 10, 0], [5, 5, 10]], capacity: 20 }).data.length; // 3: a trace per class
 * ```
 */
export function bufferContents({ counts, classes, capacity }: BufferContents): Figure {
  const width = Math.max(0, ...counts.map((row) => row.length));
  const x = counts.map((_, experience) => `after ${experience}`);
  const few = width <= 7;
  return figure({
    data: Array.from(
      { length: width },
      (_, label): Trace => ({
        type: "bar",
        name: classes?.[label] ?? `class ${label}`,
        x,
        y: counts.map((row) => row[label] ?? 0),
        marker: { color: few ? colourAt(label) : colourOn("accuracy", (0.95 * label) / (width - 1)) },
        showlegend: few || label % Math.ceil(width / 6) === 0,
      }),
    ),
    layout: {
      title: { text: "What the memory holds", subtitle: { text: "examples of each class after each experience" } },
      barmode: "stack",
      xaxis: { type: "category" },
      yaxis: { title: { text: "examples" } },
      ...(capacity === undefined
        ? {}
        : {
            shapes: [
              {
                type: "line",
                xref: "paper",
                x0: 0,
                x1: 1,
                y0: capacity,
                y1: capacity,
                line: { color: "#7a828c", width: 1.5, dash: "dash" },
              },
            ],
          }),
    },
  });
}

/**
 * What the memories of a run's strategies held after each experience, as its log tells it: classes in the order in which they came.
 *
 * @throws TypeError when no strategy of the run keeps examples.
 *
 * @example
 * ```ts
 * import { memoryOf } from "thalweg";
 * const kept = (experience: number, layer: string, value: number) =>
 *   ({ type: "probed", step: 9, experience, name: "kept", layer, on: null, value }) as const;
 * memoryOf([kept(0, "cat", 10), kept(1, "cat", 5), kept(1, "dog", 5)]).counts; // [[10, 0], [5, 5]]
 * ```
 */
export function memoryOf(events: Iterable<TrainEvent>): BufferContents {
  const kept = [...events].filter((event): event is Probed => event.type === "probed" && event.name === "kept");
  if (kept.length === 0)
    throw new TypeError(
      "memory: a run with a strategy that keeps examples is required, got one that kept none; try replay()",
    );
  const classes = [...new Set(kept.map(({ layer }) => String(layer)))];
  const experiences = [...new Set(kept.map(({ experience }) => experience))];
  const held = (experience: number, name: string): number =>
    kept.find((event) => event.experience === experience && event.layer === name)?.value ?? 0;
  return { classes, counts: experiences.map((experience) => classes.map((name) => held(experience, name))) };
}

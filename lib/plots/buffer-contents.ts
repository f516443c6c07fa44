/** What a memory holds, class by class, as the stream goes by. */
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

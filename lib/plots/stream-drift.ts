/** How far a stream moves away from where it began. */
import { moved } from "../streams/parts/moments.ts";
import type { Stream } from "../streams/stream.ts";
import { type Figure, figure } from "./figure.ts";
import { warning } from "./parts/warning.ts";

/** What can be said of the drift of a stream. */
export interface StreamDriftOptions {
  /** At most so many experiences, at even distances; 60 by default. */
  readonly experiences?: number;
  /** At most so many training examples of each are looked at; 500 by default. */
  readonly examples?: number;
  readonly title?: string;
}

/**
 * Draws how far each experience is from the first: the distance of the mean inputs in deviations of the first (the root of the mean square
 * over all numbers), and how much of the classes is exchanged (half the sum of the differences of their shares) or how far the mean target
 * has moved.
 *
 * @example
 * ```ts
 * import { hyperplane, streamDrift } from "thalweg";
 * streamDrift(hyperplane({ examples: 100, experiences: 10 })).data.length; // 2
 * ```
 */
export function streamDrift(
  stream: Stream,
  { experiences = 60, examples = 500, title = "How far the stream has moved" }: StreamDriftOptions = {},
): Figure {
  const count = Math.min(stream.length, experiences);
  const at = Array.from({ length: count }, (_, i) =>
    stream.length === Infinity ? i : Math.floor((i * stream.length) / count),
  );
  const all = moved(stream, at, examples);
  return figure({
    data: [
      { type: "scatter", x: at, y: all.map(({ inputs }) => inputs), name: "inputs (deviations)" },
      {
        type: "scatter",
        x: at,
        y: all.map(({ asked }) => asked),
        name: stream.target === "numbers" ? "targets (mean difference)" : "classes (share exchanged)",
      },
    ],
    layout: {
      title: {
        text: title,
        subtitle: { text: ["distance of each experience from the first", ...warning(stream)].join(" · ") },
      },
      xaxis: { title: { text: "experience" } },
      yaxis: { title: { text: "distance" }, rangemode: "tozero" },
    },
  });
}

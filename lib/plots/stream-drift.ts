/** How far a stream moves away from where it began. */
import { gather, gatherTargets, sizeOf } from "../data/dataset.ts";
import type { Stream } from "../streams/stream.ts";
import { type Figure, figure } from "./figure.ts";

/** What can be said of the drift of a stream. */
export interface StreamDriftOptions {
  /** At most so many experiences, at even distances; 60 by default. */
  readonly experiences?: number;
  /** At most so many training examples of each are looked at; 500 by default. */
  readonly examples?: number;
  readonly title?: string;
}

/** The moments of one experience. */
interface Moments {
  readonly mean: Float64Array;
  readonly variance: number;
  /** The share of each class, or the mean of each target. */
  readonly asked: Float64Array;
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
  const all = at.map((index) => moments(stream, index, examples));
  const first = all[0]!;
  const deviation = Math.sqrt(first.variance) || 1;
  const numbers = stream.target === "numbers";
  const inputs = all.map(
    ({ mean }) => Math.sqrt(mean.reduce((sum, v, j) => sum + (v - first.mean[j]!) ** 2, 0) / mean.length) / deviation,
  );
  const asked = all.map(
    ({ asked }) => asked.reduce((sum, v, j) => sum + Math.abs(v - first.asked[j]!), 0) / (numbers ? asked.length : 2),
  );
  return figure({
    data: [
      { type: "scatter", x: at, y: inputs, name: "inputs (deviations)" },
      { type: "scatter", x: at, y: asked, name: numbers ? "targets (mean difference)" : "classes (share exchanged)" },
    ],
    layout: {
      title: { text: title, subtitle: { text: "distance of each experience from the first" } },
      xaxis: { title: { text: "experience" } },
      yaxis: { title: { text: "distance" }, rangemode: "tozero" },
    },
  });
}

function moments(stream: Stream, index: number, most: number): Moments {
  const { train } = stream.experience(index);
  const count = Math.min(most, train.length);
  const rows = Array.from({ length: count }, (_, k) => Math.floor((k * train.length) / count));
  const x = gather(train, rows);
  const size = sizeOf(stream.shape);
  const mean = new Float64Array(size);
  x.forEach((v, i) => {
    mean[i % size]! += v / count;
  });
  const variance = x.reduce((sum, v, i) => sum + (v - mean[i % size]!) ** 2, 0) / x.length;
  if (stream.target === "numbers" && train.targets !== undefined) {
    const y = gatherTargets(train, rows);
    const asked = new Float64Array(train.targets.width);
    y.forEach((v, i) => {
      asked[i % asked.length]! += v / count;
    });
    return { mean, variance, asked };
  }
  const asked = new Float64Array(stream.classes.length);
  for (const row of rows)
    if (train.labels[row]! >= 0 && train.labels[row]! < asked.length) asked[train.labels[row]!]! += 1 / count;
  return { mean, variance, asked };
}

/** What the images of a stream look like, experience by experience. */
import { gather } from "../data/dataset.ts";
import type { Stream } from "../streams/stream.ts";
import { type Figure, figure } from "./figure.ts";
import { warning } from "./parts/warning.ts";

/** What can be said of the strips of a stream. */
export interface StreamSamplesOptions {
  /** At most so many experiences, at even distances; 8 by default. */
  readonly experiences?: number;
  /** Images of each; 10 by default. */
  readonly samples?: number;
  readonly title?: string;
}

/**
 * Draws a strip of images for every experience: the first of its training examples at even distances. Colour is drawn as its mean.
 *
 * @example
 * ```ts
 * import { digits, rotated, streamSamples } from "thalweg";
 * streamSamples(rotated(digits(), [0, 30, 60, 90])).data[0]?.type; // "heatmap"
 * ```
 */
export function streamSamples(
  stream: Stream,
  { experiences = 8, samples = 10, title = "Examples of each experience" }: StreamSamplesOptions = {},
): Figure {
  if (stream.kind !== "image" || stream.shape.length !== 3)
    throw new TypeError(
      `streamSamples: a stream of images is required, got ${stream.kind} of shape [${stream.shape}]; draw streamDrift`,
    );
  const [height, width, channels] = stream.shape as readonly [number, number, number];
  const count = Math.min(stream.length, experiences);
  const positions = Array.from({ length: count }, (_, i) =>
    stream.length === Infinity ? i : Math.floor((i * stream.length) / count),
  );
  const [down, right] = [height + 1, width + 1]; // a pixel of room between images
  const z = Array.from({ length: count * down - 1 }, () => new Array<number | null>(samples * right - 1).fill(null));
  positions.forEach((at, row) => {
    const { train } = stream.experience(at);
    const shown = Math.min(samples, train.length);
    const batch = gather(
      train,
      Array.from({ length: shown }, (_, k) => Math.floor((k * train.length) / shown)),
    );
    for (let k = 0; k < shown; k++) {
      for (let pixel = 0; pixel < height * width; pixel++) {
        let value = 0;
        for (let c = 0; c < channels; c++) value += batch[(k * height * width + pixel) * channels + c]! / channels;
        z[row * down + Math.floor(pixel / width)]![k * right + (pixel % width)] = Math.round(1000 * value) / 1000;
      }
    }
  });
  const warned = warning(stream);
  return figure({
    data: [
      {
        type: "heatmap",
        z,
        colorscale: [
          [0, "#000000"],
          [1, "#ffffff"],
        ],
        showscale: false,
        hoverinfo: "skip",
      },
    ],
    layout: {
      title: { text: title, ...(warned.length > 0 && { subtitle: { text: warned.join() } }) },
      height: Math.min(760, 110 + 44 * count),
      xaxis: { showticklabels: false, showgrid: false, zeroline: false },
      yaxis: {
        autorange: "reversed",
        showgrid: false,
        zeroline: false,
        tickvals: positions.map((_, row) => row * down + height / 2),
        ticktext: positions.map((at) => `experience ${at}`),
      },
    },
  });
}

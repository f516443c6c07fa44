/** How busy a device was and how full its memory, over time. */
import { type Figure, figure } from "./figure.ts";
import { colourAt } from "./parts/colour.ts";

/** A device at one moment. */
export interface DeviceSample {
  /** Seconds since the first sample. */
  readonly seconds: number;
  /** What it is: a card, or a processor. */
  readonly name: string;
  /** The share of the time since the sample before in which it computed, from 0 to 1; null where that is not known. */
  readonly busy: number | null;
  readonly usedBytes: number;
  readonly memoryBytes: number;
}

const gibibytes = (bytes: number): string => {
  const number = bytes / 2 ** 30;
  return number < 10 ? number.toFixed(1) : number.toFixed(0);
};

/**
 * Draws the share of time in which a device computed and the share of its memory that is in use against the seconds.
 *
 * A card that waits for its data, or is full before the batch has grown, shows at once.
 *
 * @example
 * ```ts
 * import { deviceLoad } from "thalweg";
 * const at = (seconds: number, busy: number) => ({ seconds, name: "a card", busy, usedBytes: 2 ** 30, memoryBytes: 4 * 2 ** 30 });
 * deviceLoad([at(0, 0.5), at(1, 0.9)]).data.map(({ name }) => name); // ["computing", "memory in use"]
 * ```
 */
export function deviceLoad(samples: readonly DeviceSample[]): Figure {
  const last = samples.at(-1);
  const line = (name: string, index: number, value: (sample: DeviceSample) => number | null) => ({
    type: "scatter" as const,
    mode: "lines" as const,
    name,
    x: samples.map(({ seconds }) => seconds),
    y: samples.map(value),
    line: { color: colourAt(index), width: 1.8 },
  });
  const lines = [
    ...(samples.some(({ busy }) => busy !== null) ? [line("computing", 0, ({ busy }) => busy)] : []),
    line("memory in use", 1, ({ usedBytes, memoryBytes }) => usedBytes / memoryBytes),
  ];
  const memory = last && `${gibibytes(last.usedBytes)} of ${gibibytes(last.memoryBytes)} GiB in use`;
  const busy = last && last.busy !== null ? `, computing ${Math.round(100 * last.busy)} % of the time` : "";
  return figure({
    data: lines,
    layout: {
      title: { text: last?.name ?? "No device was watched", ...(memory && { subtitle: { text: `${memory}${busy}` } }) },
      xaxis: { title: { text: "seconds" }, rangemode: "tozero" },
      yaxis: { title: { text: "share" }, range: [0, 1], tickformat: ".0%" },
      showlegend: true,
      hovermode: "x unified",
    },
  });
}

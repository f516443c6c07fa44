/** Curves over seeds: the mean as a line, the interval around it as a band. */
import type { Curve } from "../../metrics/parts/curves.ts";
import { tInterval } from "../../metrics/statistics.ts";
import { faded } from "./colour.ts";
import type { Line, Scatter, Trace } from "./plotly.ts";

export type { Curve } from "../../metrics/parts/curves.ts";

/** How a band of curves is drawn. */
export interface BandStyle {
  readonly name: string;
  readonly colour: string;
  readonly dash?: NonNullable<Line["dash"]>;
  readonly width?: number;
  readonly showlegend?: boolean;
  readonly markers?: boolean;
  readonly axes?: { readonly xaxis?: string; readonly yaxis?: string };
  /** False: no band. */
  readonly band?: boolean;
  /** What the quantity cannot be below and above; bands end there. */
  readonly limits?: readonly [number, number];
  readonly hovertemplate?: string;
}

/** What a band shows, as a subtitle says it: two values have a range, but no interval worth drawing. */
export function overSeeds(runs: number): string {
  if (runs < 2) return "";
  return runs === 2 ? "mean and range of 2 seeds" : `mean and 95% interval of ${runs} seeds`;
}

/** The mean of curves at every place that one of them has, with its 95% interval; of two curves, with their range. */
export function meanCurve(curves: readonly Curve[]): { x: number[]; mean: number[]; low: number[]; high: number[] } {
  const at = new Map<number, number[]>();
  for (const { x, y } of curves) {
    x.forEach((place, index) => {
      const value = y[index]!;
      if (Number.isFinite(value)) at.set(place, [...(at.get(place) ?? []), value]);
    });
  }
  const x = [...at.keys()].sort((a, b) => a - b);
  const intervals = x.map((place) => {
    const values = at.get(place)!;
    const interval = tInterval(values);
    return values.length === 2 ? { ...interval, low: Math.min(...values), high: Math.max(...values) } : interval;
  });
  return {
    x,
    mean: intervals.map(({ mean }) => mean),
    low: intervals.map(({ low }) => low),
    high: intervals.map(({ high }) => high),
  };
}

/** The traces of curves over seeds: a band when there are at least two, and the line of their mean. */
export function bandTraces(curves: readonly Curve[], style: BandStyle): Trace[] {
  const { x, mean, low, high } = meanCurve(curves);
  const [least, most] = style.limits ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const kept = telling(mean);
  const known = kept.filter((index) => Number.isFinite(low[index]));
  const shared = { ...style.axes, legendgroup: style.name };
  const band: Scatter = {
    type: "scatter",
    ...shared,
    name: `${style.name}, spread`,
    x: [...known.map((index) => x[index]!), ...known.toReversed().map((index) => x[index]!)],
    y: [
      ...known.map((index) => Math.min(most, high[index]!)),
      ...known.toReversed().map((index) => Math.max(least, low[index]!)),
    ],
    fill: "toself",
    fillcolor: faded(style.colour, 0.18),
    line: { width: 0, color: style.colour },
    showlegend: false,
    hoverinfo: "skip",
  };
  const line: Scatter = {
    type: "scatter",
    ...shared,
    name: style.name,
    x: kept.map((index) => x[index]!),
    y: kept.map((index) => mean[index]!),
    mode: style.markers === true ? "lines+markers" : "lines",
    line: { color: style.colour, width: style.width ?? 2, dash: style.dash ?? "solid" },
    ...(style.showlegend === undefined ? {} : { showlegend: style.showlegend }),
    ...(style.hovertemplate === undefined ? {} : { hovertemplate: style.hovertemplate }),
  };
  return style.band !== false && known.length > 1 ? [band, line] : [line];
}

/** Curves of more points than this are thinned: a notebook has to carry them. */
const many = 600;

/** The places of a curve that its picture needs: all of a short one, of a long one the lowest, highest and last of each stretch. */
function telling(values: readonly number[]): number[] {
  const all = values.map((_, index) => index);
  if (values.length <= many) return all;
  const stretch = Math.ceil(values.length / (many / 3));
  const kept = new Set([0]);
  for (let from = 0; from < values.length; from += stretch) {
    const places = all.slice(from, from + stretch);
    kept.add(places.reduce((a, b) => (values[b]! < values[a]! ? b : a)));
    kept.add(places.reduce((a, b) => (values[b]! > values[a]! ? b : a)));
    kept.add(places.at(-1)!);
  }
  return [...kept].sort((a, b) => a - b);
}

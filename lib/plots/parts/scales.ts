/** From values to places on the page: ranges, categories, ticks. */
import { numberText } from "./number-text.ts";
import type { Axis, Layout, Place, Trace } from "./plotly.ts";

/** One axis of a figure, settled: what it spans and where its ticks are, in its own units (the logarithm on log axes). */
export interface Scale {
  /** `x`, `x2`, `y`, … */
  readonly id: string;
  readonly spec: Axis;
  readonly categories: readonly string[] | undefined;
  /** First and last value, in the direction they are drawn. */
  readonly range: readonly [number, number];
  /** A value in the axis's own units; NaN when it has no place on it. */
  units(value: Place | null | undefined): number;
  /** Ticks that fit when there is room for about `count`. */
  ticks(count: number): readonly { readonly at: number; readonly text: string }[];
}

/** What a trace asks of an axis. */
export interface Extent {
  readonly values: readonly (Place | null)[];
  /** The axis has to begin at 0, as bars do. */
  readonly zero?: boolean;
  /** The values fill the range edge to edge, as the cells of a heat map do. */
  readonly tight?: boolean;
  /** How much room is left beyond the first and last value, in units of the axis. */
  readonly margin?: number;
}

/** The id of a trace's axis in one direction. */
export function axisOf(trace: Trace, direction: "x" | "y"): string {
  return (direction === "x" ? trace.xaxis : trace.yaxis) ?? direction;
}

/** The layout's description of an axis: `x2` is `xaxis2`. */
export function specOf(layout: Layout, id: string): Axis {
  return layout[`${id[0] as "x" | "y"}axis${id.slice(1)}`] ?? {};
}

/** Settles an axis from the traces that lie on it. */
export function scaleOf(id: string, spec: Axis, extents: readonly Extent[]): Scale {
  const values = extents.flatMap((extent) => extent.values);
  const named = spec.type === "category" || values.some((value) => typeof value === "string");
  const found = values.filter((value) => value !== null).map(String);
  const categories = named ? [...new Set([...(spec.categoryarray ?? []), ...found])] : undefined;
  const log = spec.type === "log" && !named;
  const indices = new Map(categories?.map((name, index) => [name, index]));
  const units = (value: Place | null | undefined): number => {
    if (value === null || value === undefined) return Number.NaN;
    if (named)
      return typeof value === "number" && !indices.has(String(value))
        ? value
        : (indices.get(String(value)) ?? Number.NaN);
    return log ? Math.log10(Number(value)) : Number(value);
  };
  const range = spec.range ?? wholeRange(extents, units, { categories, spec, log });
  return {
    id,
    spec,
    categories,
    range: spec.autorange === "reversed" ? [range[1], range[0]] : range,
    units,
    ticks: (count) => ticksOf({ spec, categories, log, units, range }, count),
  };
}

function wholeRange(
  extents: readonly Extent[],
  units: (value: Place | null) => number,
  { categories, spec, log }: { categories: readonly string[] | undefined; spec: Axis; log: boolean },
): readonly [number, number] {
  if (categories !== undefined) return [-0.5, categories.length - 0.5];
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let tight = extents.length > 0;
  for (const extent of extents) {
    tight &&= extent.tight === true;
    for (const value of extent.values) {
      const at = units(value);
      if (!Number.isFinite(at)) continue;
      low = Math.min(low, at - (extent.margin ?? 0));
      high = Math.max(high, at + (extent.margin ?? 0));
    }
    if (extent.zero && !log) {
      low = Math.min(low, 0);
      high = Math.max(high, 0);
    }
  }
  if (low > high) return [0, 1];
  if (low === high) return [low - 0.5, high + 0.5];
  const pad = tight ? 0 : (high - low) * 0.04;
  const fromZero = spec.rangemode === "tozero" || extents.some((extent) => extent.zero);
  return [fromZero && low >= 0 && !log ? 0 : low - pad, fromZero && high <= 0 && !log ? 0 : high + pad];
}

interface Ticked {
  readonly spec: Axis;
  readonly categories: readonly string[] | undefined;
  readonly log: boolean;
  readonly units: (value: Place) => number;
  readonly range: readonly [number, number];
}

function ticksOf({ spec, categories, log, units, range }: Ticked, count: number) {
  const [low, high] = range[0] < range[1] ? range : [range[1], range[0]];
  const inside = (at: number): boolean => at >= low - 1e-9 && at <= high + 1e-9;
  if (spec.tickvals !== undefined) {
    return spec.tickvals.flatMap((value, index) => {
      const text = spec.ticktext?.[index] ?? (typeof value === "number" ? numberText(value, spec.tickformat) : value);
      return inside(units(value)) ? [{ at: units(value), text }] : [];
    });
  }
  if (categories !== undefined) {
    const every = Math.max(1, Math.ceil(categories.length / Math.max(count, 12)));
    return categories.flatMap((text, at) => (at % every === 0 && inside(at) ? [{ at, text }] : []));
  }
  if (log) return logTicks(low, high, spec.tickformat);
  const step = spec.dtick ?? stepFor(low, high, Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const at = Number(((first + index) * step).toPrecision(12));
    return { at, text: numberText(at, spec.tickformat) };
  });
}

function logTicks(low: number, high: number, format?: string) {
  const decades = Math.floor(high) - Math.ceil(low) + 1;
  const every = Math.max(1, Math.ceil(decades / 8));
  const digits = decades <= 2 ? [1, 2, 5] : [1];
  const ticks: { at: number; text: string }[] = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const digit of digits) {
      const at = power + Math.log10(digit);
      if (at < low - 1e-9 || at > high + 1e-9 || (digits.length === 1 && (power - Math.floor(low)) % every !== 0))
        continue;
      ticks.push({ at, text: numberText(digit * 10 ** power, format) });
    }
  }
  return ticks;
}

/** A round step for about so many ticks: a single one would not say how an axis counts, so that there are two where there is any length. */
function stepFor(low: number, high: number, count: number): number {
  for (let wanted = count; wanted < count + 4; wanted++) {
    const step = niceStep((high - low) / wanted);
    if (Math.floor(high / step + 1e-9) > Math.ceil(low / step - 1e-9)) return step;
  }
  return niceStep((high - low) / count);
}

/** The next round step: 1, 2, 2.5 or 5 times a power of ten. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = [1, 2, 2.5, 5, 10].find((step) => step * power >= rough * 0.999) ?? 10;
  return found * power;
}

/** What all marks need: where things are, paths, error bars. */
import { neutral } from "./colour.ts";
import { numberText } from "./number-text.ts";
import type { ErrorBars, Marker, Place } from "./plotly.ts";
import { px } from "./svg-text.ts";

/** Where a trace is drawn. */
export interface Panel {
  /** The pixel of a value; NaN when it has none. */
  x(value: Place | null | undefined): number;
  y(value: Place | null | undefined): number;
  /** The pixels of one unit of a category or number axis. */
  readonly unitX: number;
  readonly unitY: number;
}

/** Where the bars of a trace stand among those of others at the same place. */
export interface Slot {
  /** From the middle of the place to the middle of the bar, in units of the axis. */
  readonly offset: number;
  readonly width: number;
  /** What each bar stands on, by its place, when bars are stacked. */
  readonly base?: ReadonlyMap<string, number>;
}

/** A point of the page. */
export type Point = readonly [number, number];

/** Straight lines through points, as the `d` of a path. */
export function path(points: readonly Point[]): string {
  return points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${px(x)} ${px(y)}`).join("");
}

/** The parts of a trace together, with its opacity. */
export function wrapped(parts: readonly string[], opacity?: number): string {
  const inner = parts.join("");
  return opacity === undefined || opacity === 1 ? inner : `<g opacity="${opacity}">${inner}</g>`;
}

/** The colour of one mark of a trace; colours given as numbers have been turned into colours before. */
export function markColour(marker: Marker | undefined, index: number, otherwise: string): string {
  const colour = marker?.color;
  if (colour === undefined) return otherwise;
  return typeof colour === "string" ? colour : String(colour[index] ?? otherwise);
}

/** A value as a tooltip says it. */
export function valueText(value: Place | null | undefined): string {
  return typeof value === "number" ? numberText(Number(value.toPrecision(4))) : (value ?? "");
}

/** Vertical and horizontal error bars of a trace. */
export function errorBars(
  xs: readonly (Place | null)[],
  ys: readonly (Place | null)[],
  errors: { readonly y?: ErrorBars | undefined; readonly x?: ErrorBars | undefined },
  { x, y }: Pick<Panel, "x" | "y">,
  colour: string,
): string {
  const bars = (direction: "x" | "y", error: ErrorBars): string => {
    const cap = error.width ?? 4;
    const d = xs.map((place, index) => {
      const value = Number(direction === "y" ? ys[index] : place);
      const [low, high] = [value - (error.arrayminus ?? error.array)[index]!, value + error.array[index]!];
      const [a, b] = direction === "y" ? [y(low), y(high)] : [x(low), x(high)];
      const at = direction === "y" ? x(place) : y(ys[index]);
      if (![a, b, at].every(Number.isFinite)) return "";
      return direction === "y"
        ? `M${px(at)} ${px(a)}V${px(b)}M${px(at - cap)} ${px(a)}h${2 * cap}M${px(at - cap)} ${px(b)}h${2 * cap}`
        : `M${px(a)} ${px(at)}H${px(b)}M${px(a)} ${px(at - cap)}v${2 * cap}M${px(b)} ${px(at - cap)}v${2 * cap}`;
    });
    return `<path d="${d.join("")}" fill="none" stroke="${error.color ?? colour}" stroke-width="${error.thickness ?? 1.5}"/>`;
  };
  return (errors.y === undefined ? "" : bars("y", errors.y)) + (errors.x === undefined ? "" : bars("x", errors.x));
}

/** The colour of error bars on top of filled marks: reads on the mark and on the page. */
export const errorInk = neutral;

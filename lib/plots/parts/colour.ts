/** Colours that read on light and dark pages and for every kind of colour vision. */
import type { ColorScale } from "./plotly.ts";

/** Okabe and Ito's palette (2008) without its black, the yellow darkened so that it shows on white. */
export const palette: readonly string[] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7d00"];

/** The grey of text, axes and what is neither good nor bad; readable on white and on black. */
export const neutral = "#7a828c";

/** A palette colour by position; it starts over after the last. */
export function colourAt(index: number): string {
  return palette[index % palette.length]!;
}

/** A colour with some transparency: `#0072b2` at .2 is `rgba(0,114,178,0.2)`. */
export function faded(colour: string, opacity: number): string {
  const [red, green, blue] = channels(colour);
  return `rgba(${red},${green},${blue},${opacity})`;
}

/** Viridis (van der Walt and Smith 2015, CC0): even to the eye, and in grey. */
const viridis = [
  "#440154",
  "#482878",
  "#3e4989",
  "#31688e",
  "#26828e",
  "#1f9e89",
  "#35b779",
  "#6ece58",
  "#b5de2b",
  "#fde725",
];

const scales: Readonly<Record<string, readonly (readonly [number, string])[]>> = {
  accuracy: viridis.map((colour, index) => [index / (viridis.length - 1), colour] as const),
  difference: [
    [0, "#b34700"],
    [0.25, "#e8975a"],
    [0.5, "#f2f2f2"],
    [0.75, "#5fa3cf"],
    [1, "#005a8c"],
  ],
};

/** The stops of a colour scale. */
export function stopsOf(scale: ColorScale): readonly (readonly [number, string])[] {
  return typeof scale === "string" ? (scales[scale] ?? scales.accuracy!) : scale;
}

/** The colour at a place of a scale, from 0 to 1; places beyond take the end. */
export function colourOn(scale: ColorScale, place: number): string {
  const stops = stopsOf(scale);
  const at = Math.min(1, Math.max(0, place));
  const next = Math.max(
    1,
    stops.findIndex(([stop]) => stop >= at),
  );
  const [from, low] = stops[next - 1]!;
  const [to, high] = stops[next]!;
  const share = to === from ? 0 : (at - from) / (to - from);
  const [a, b] = [channels(low), channels(high)];
  const [red, green, blue, opacity] = a.map((value, index) => value + share * (b[index]! - value)) as Channels;
  if (opacity >= 1) return `#${[red, green, blue].map(hex).join("")}`;
  return `rgba(${[red, green, blue].map(Math.round).join(",")},${Number(opacity.toFixed(3))})`;
}

/** Whether a colour lets most of the page through, so that the page's own text colour reads on it. */
export function isFaint(colour: string): boolean {
  return channels(colour)[3] < 0.4;
}

/** Dark or white: the one that reads better on a colour. */
export function inkOn(colour: string): string {
  const [red, green, blue] = channels(colour).map((value) => {
    const share = value / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Channels;
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const onDark = (luminance + 0.05) / 0.06;
  const onWhite = 1.05 / (luminance + 0.05);
  return onDark > onWhite ? "#1b1f24" : "#ffffff";
}

/** Whether a text is a colour and nothing else: `#0072b2`, `rgba(0,114,178,0.2)`, `teal`. */
export function isColour(text: string): boolean {
  return /^(?:#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})|(?:rgb|hsl)a?\([\d.,%\s/]+\)|[a-z]+)$/i.test(text);
}

/** Red, green and blue from 0 to 255, and opacity from 0 to 1. */
type Channels = [number, number, number, number];

function channels(colour: string): Channels {
  const named = /^rgba?\(\s*([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,\s*([\d.]+))?/.exec(colour);
  if (named !== null) return [Number(named[1]), Number(named[2]), Number(named[3]), Number(named[4] ?? 1)];
  const digits = colour.length === 4 ? colour.replace(/[0-9a-f]/gi, "$&$&") : colour;
  const value = Number.parseInt(digits.slice(1, 7), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255, 1];
}

function hex(value: number): string {
  return Math.round(value).toString(16).padStart(2, "0");
}

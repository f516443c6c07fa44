/** A figure in characters, for terminals and logs. */
import { along } from "./axes.ts";
import { scalesOf } from "./extents.ts";
import { numberText } from "./number-text.ts";
import { plain } from "./overlays.ts";
import type { Bar, Heatmap, Layout, Scatter, Trace } from "./plotly.ts";
import { axisOf, type Scale } from "./scales.ts";
import { barSlots, lengthsOf, placesOf } from "./slots.ts";
import { quartiles } from "./summaries.ts";
import { countsOf } from "./svg-bars.ts";

const columns = 56;
const rows = 12;

/** The text of a figure: its title, then each panel as a plot of dots, a table of numbers or bars. */
export function textOf(data: readonly Trace[], layout: Layout): string {
  const scales = scalesOf(data, layout, barSlots(data, layout));
  const panels = new Map<string, Trace[]>();
  for (const trace of data) {
    const key = `${axisOf(trace, "x")} ${axisOf(trace, "y")}`;
    panels.set(key, [...(panels.get(key) ?? []), trace]);
  }
  const parts = [...panels].map(([key, traces]) => {
    const [x, y] = key.split(" ") as [string, string];
    return panelText(traces, scales.get(x)!, scales.get(y)!);
  });
  const title = [layout.title?.text, layout.title?.subtitle?.text].filter((line) => line !== undefined).map(plain);
  return [...title, ...parts].join("\n");
}

function panelText(traces: readonly Trace[], x: Scale, y: Scale): string {
  const parts: string[] = [];
  const scatters = traces.filter((trace): trace is Scatter => trace.type === "scatter");
  if (scatters.length > 0) parts.push(dots(scatters, x, y));
  for (const trace of traces) {
    if (trace.type === "heatmap") parts.push(cells(trace));
    else if (trace.type === "bar") parts.push(bars(trace));
    else if (trace.type === "histogram") {
      const { start, size } = trace.xbins;
      const counts = countsOf(trace);
      parts.push(barLines(counts.map((count, bin) => [numberText(start + bin * size), count])));
    } else if (trace.type === "box") {
      const { low, lower, middle, upper, high } = quartiles(trace.y);
      const numbers = [low, lower, middle, upper, high].map((value) => numberText(value));
      parts.push(
        `${trace.name ?? "values"}: ${numbers.join(" ├ ")}  (least ├ quarter ├ median ├ three quarters ├ most)`,
      );
    }
  }
  return parts.join("\n");
}

/** Lines and points in braille, with the ends of the axes beside them and the last value of each line below. */
function dots(traces: readonly Scatter[], x: Scale, y: Scale): string {
  const drawn = traces.filter((trace) => trace.fill !== "toself");
  const [bottom, top] = y.range.map((units) => endText(y, units)) as [string, string];
  const [left, right] = x.range.map((units) => endText(x, units)) as [string, string];
  const margin = Math.max(bottom.length, top.length);
  const body = braille(drawn, x, y).map((row, index) => {
    const label = index === 0 ? top : index === rows - 1 ? bottom : "";
    return `${label.padStart(margin)} ┤${row}`.trimEnd();
  });
  const gap = " ".repeat(Math.max(1, columns - left.length - right.length));
  const named = drawn.filter((trace) => trace.name !== undefined && trace.showlegend !== false);
  return [
    ...body,
    `${" ".repeat(margin)} └${"─".repeat(columns)}`,
    `${" ".repeat(margin + 2)}${left}${gap}${right}`,
    ...named.map((trace) => `${trace.name}: ends at ${lastOf(trace, y)}`),
  ].join("\n");
}

/** The rows of a plot in braille: each character is two dots wide and four high. */
function braille(traces: readonly Scatter[], x: Scale, y: Scale): string[] {
  const canvas = Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  const atX = along(x, 0, columns * 2 - 1);
  const atY = along(y, rows * 4 - 1, 0);
  const set = (a: number, b: number): void => {
    const [column, row] = [Math.round(a), Math.round(b)];
    if (column < 0 || row < 0 || column >= columns * 2 || row >= rows * 4) return;
    canvas[row >> 2]![column >> 1]! |= [1, 2, 4, 64, 8, 16, 32, 128][(column & 1) * 4 + (row & 3)]!;
  };
  for (const trace of traces) {
    let last: readonly [number, number] | undefined;
    for (const [index, value] of trace.x.entries()) {
      const at = [atX(x.units(value)), atY(y.units(trace.y[index]))] as const;
      if (at.every(Number.isFinite)) strokeTo(at, trace.mode?.includes("lines") === true ? last : undefined, set);
      last = at.every(Number.isFinite) ? at : undefined;
    }
  }
  return canvas.map((row) => row.map((bits) => String.fromCharCode(0x2800 + bits)).join(""));
}

/** Sets the dots from one point to another, or of one alone. */
function strokeTo(
  at: readonly [number, number],
  from: readonly [number, number] = at,
  set: (x: number, y: number) => void,
): void {
  const length = Math.max(1, Math.ceil(Math.max(Math.abs(at[0] - from[0]), Math.abs(at[1] - from[1]))));
  for (let step = 0; step <= length; step++) {
    const share = step / length;
    set(from[0] + (at[0] - from[0]) * share, from[1] + (at[1] - from[1]) * share);
  }
}

/** The value at an end of an axis. */
function endText(scale: Scale, units: number): string {
  return scale.categories?.[Math.round(units)] ?? numberText(valueAt(scale, units), scale.spec.tickformat);
}

function valueAt(scale: Scale, units: number): number {
  return scale.spec.type === "log" ? 10 ** units : units;
}

function lastOf(trace: Scatter, y: Scale): string {
  const last = trace.y.findLast((value) => value !== null && (typeof value === "string" || Number.isFinite(value)));
  return typeof last === "number" ? numberText(last, y.spec.tickformat) : String(last ?? "nothing");
}

/** A heat map as the table of its numbers, or as shades when it is too wide for that. */
function cells(trace: Heatmap): string {
  const across = (trace.x ?? trace.z[0]?.map((_, index) => index) ?? []).map(String);
  const down = (trace.y ?? trace.z.map((_, index) => index)).map(String);
  const texts = trace.z.map((row, i) =>
    row.map(
      (value, j) => trace.text?.[i]?.[j] ?? (value === null || !Number.isFinite(value) ? "·" : numberText(value)),
    ),
  );
  const width = Math.max(...across.map((name) => name.length), ...texts.flat().map((text) => text.length));
  const margin = Math.max(0, ...down.map((name) => name.length));
  if ((width + 2) * across.length > 110) return shades(trace, down, margin);
  const line = (label: string, row: readonly string[]): string =>
    `${label.padStart(margin)}  ${row.map((text) => text.padStart(width)).join("  ")}`;
  return [line("", across), ...texts.map((row, index) => line(down[index]!, row))].join("\n");
}

function shades(trace: Heatmap, down: readonly string[], margin: number): string {
  const values = trace.z.flat().filter((value): value is number => value !== null && Number.isFinite(value));
  const [low, high] = [trace.zmin ?? Math.min(...values), trace.zmax ?? Math.max(...values)];
  const shade = (value: number | null): string =>
    value === null || !Number.isFinite(value)
      ? " "
      : "·░▒▓█"[Math.min(4, Math.floor((5 * (value - low)) / (high - low || 1)))]!;
  return trace.z.map((row, index) => `${down[index]!.padStart(margin)}  ${row.map(shade).join("")}`).join("\n");
}

function bars(trace: Bar): string {
  const lengths = lengthsOf(trace);
  const pairs = placesOf(trace).map((place, index): [string, number] => [
    String(place),
    Number(lengths[index] ?? Number.NaN),
  ]);
  const heading = trace.name === undefined ? [] : [trace.name];
  return [...heading, barLines(pairs, trace.text)].join("\n");
}

function barLines(pairs: readonly (readonly [string, number])[], texts?: readonly string[]): string {
  const longest = Math.max(...pairs.map(([, length]) => Math.abs(length)).filter(Number.isFinite), 0);
  const margin = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs
    .map(([name, length], index) => {
      const size = longest === 0 || !Number.isFinite(length) ? 0 : Math.round((Math.abs(length) / longest) * 40);
      return `${name.padStart(margin)} ${(length < 0 ? "▒" : "█").repeat(size)} ${texts?.[index] ?? numberText(length)}`.trimEnd();
    })
    .join("\n");
}

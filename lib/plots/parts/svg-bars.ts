/** Bars, histograms and boxes in SVG. */
import { escapeHtml } from "../../metrics/parts/escape.ts";
import { inkOn, neutral } from "./colour.ts";
import { numberText } from "./number-text.ts";
import type { Bar, Box, Histogram } from "./plotly.ts";
import { quartiles } from "./summaries.ts";
import { errorBars, errorInk, markColour, type Panel, type Slot, valueText, wrapped } from "./svg-shared.ts";
import { px, textAt, widthOf } from "./svg-text.ts";

export function drawBars(trace: Bar, panel: Panel, slot: Slot): string {
  const sideways = trace.orientation === "h";
  const [places, lengths] = sideways ? [trace.y, trace.x] : [trace.x, trace.y];
  const [along, across] = sideways ? [panel.x, panel.y] : [panel.y, panel.x];
  const unit = sideways ? panel.unitY : panel.unitX;
  const shift = slot.offset * unit;
  const parts = places.map((place, index) => {
    const length = Number(lengths[index] ?? Number.NaN);
    const start = trace.base?.[index] ?? slot.base?.get(String(place)) ?? 0;
    const width =
      (typeof trace.width === "number" ? trace.width : (trace.width?.[index] ?? slot.width)) * Math.abs(unit);
    const middle = across(place) + shift;
    const [from, to] = [along(start), along(start + length)];
    if (!Number.isFinite(from) || !Number.isFinite(to) || !Number.isFinite(middle)) return "";
    const [low, size] = [Math.min(from, to), Math.abs(to - from)];
    const box = sideways
      ? `x="${px(low)}" y="${px(middle - width / 2)}" width="${px(size)}" height="${px(width)}"`
      : `x="${px(middle - width / 2)}" y="${px(low)}" width="${px(width)}" height="${px(size)}"`;
    const colour = markColour(trace.marker, index, neutral);
    const told = trace.text?.[index];
    const title = `${trace.name === undefined ? "" : `${trace.name}, `}${valueText(place)}: ${told ?? numberText(length)}`;
    const inside =
      told === undefined || trace.textposition === "none"
        ? ""
        : barText(told, colour, { from, to, middle, width, sideways });
    const edge =
      trace.marker?.line?.color === undefined
        ? ""
        : ` stroke="${trace.marker.line.color}" stroke-width="${trace.marker.line.width ?? 1}"`;
    return `<rect ${box} fill="${colour}"${trace.marker?.opacity === undefined ? "" : ` fill-opacity="${trace.marker.opacity}"`}${edge}><title>${escapeHtml(title)}</title></rect>${inside}`;
  });
  const moved: Pick<Panel, "x" | "y"> = sideways
    ? { x: panel.x, y: (value) => panel.y(value) + shift }
    : { x: (value) => panel.x(value) + shift, y: panel.y };
  parts.push(errorBars(trace.x, trace.y, { y: trace.error_y, x: trace.error_x }, moved, errorInk));
  return wrapped(parts, trace.opacity);
}

export function drawHistogram(trace: Histogram, panel: Panel): string {
  const { start, size } = trace.xbins;
  const counts = countsOf(trace);
  const colour = markColour(trace.marker, 0, neutral);
  const bars = counts.map((count, bin) => {
    if (count === 0) return "";
    const [left, right] = [panel.x(start + bin * size), panel.x(start + (bin + 1) * size)];
    const [top, bottom] = [panel.y(count), panel.y(0)];
    return `<rect x="${px(left + 0.5)}" y="${px(top)}" width="${px(Math.max(0.5, right - left - 1))}" height="${px(bottom - top)}" fill="${colour}"><title>${numberText(start + bin * size)} to ${numberText(start + (bin + 1) * size)}: ${count}</title></rect>`;
  });
  return wrapped(bars, trace.opacity);
}

/** How many values fall in each bin; the last value of a bin belongs to the next. */
export function countsOf({ x, xbins: { start, end, size } }: Histogram): number[] {
  const counts = new Array<number>(Math.max(0, Math.round((end - start) / size))).fill(0);
  for (const value of x) {
    const bin = Math.floor((value - start) / size + 1e-9);
    if (bin >= 0 && bin < counts.length) counts[bin]!++;
  }
  return counts;
}

export function drawBoxes(trace: Box, { x, y, unitX }: Panel): string {
  const colour = trace.line?.color ?? markColour(trace.marker, 0, neutral);
  const places = trace.x ?? trace.y.map(() => trace.name ?? 0);
  const half = Math.min(28, Math.abs(unitX) * 0.28);
  const parts = [...new Set(places)].map((place) => {
    const values = trace.y.filter((_, index) => places[index] === place);
    const { low, lower, middle, upper, high } = quartiles(values);
    const at = x(place);
    const line = (a: number, b: number, c: number, d: number, width = 1.5): string =>
      `<path d="M${px(a)} ${px(b)}L${px(c)} ${px(d)}" stroke="${colour}" stroke-width="${width}"/>`;
    const dots =
      trace.boxpoints === "all"
        ? values.map((value, index) => {
            const spread = values.length === 1 ? 0 : ((index * 0.618034) % 1) - 0.5;
            return `<circle cx="${px(at + spread * half)}" cy="${px(y(value))}" r="2.5" fill="${colour}" fill-opacity=".55"/>`;
          })
        : values
            .filter((value) => value < low || value > high)
            .map((value) => `<circle cx="${px(at)}" cy="${px(y(value))}" r="2.5" fill="${colour}"/>`);
    return [
      line(at, y(low), at, y(lower)),
      line(at, y(upper), at, y(high)),
      line(at - half / 2, y(low), at + half / 2, y(low)),
      line(at - half / 2, y(high), at + half / 2, y(high)),
      `<rect x="${px(at - half)}" y="${px(y(upper))}" width="${px(2 * half)}" height="${px(y(lower) - y(upper))}" fill="${trace.fillcolor ?? colour}" fill-opacity="${trace.fillcolor === undefined ? 0.18 : 1}" stroke="${colour}" stroke-width="1.5"/>`,
      line(at - half, y(middle), at + half, y(middle), 2.5),
      ...dots,
    ].join("");
  });
  return wrapped(parts, trace.opacity);
}

/** What a bar says: within it when there is room, else at its end. */
function barText(
  text: string,
  colour: string,
  at: { from: number; to: number; middle: number; width: number; sideways: boolean },
): string {
  const { from, to, middle, width, sideways } = at;
  const size = Math.min(12, Math.max(9, width * 0.7));
  const long = widthOf(text, size) + 8;
  const room = sideways ? long < Math.abs(to - from) : long - 4 < width && Math.abs(to - from) > size + 6;
  const [x, y] = sideways
    ? [room ? (from + to) / 2 : to + 4, middle + size * 0.35]
    : [middle, room ? (from + to) / 2 + size * 0.35 : to - 5];
  if (room) return textAt(x, y, text, { size, anchor: "middle", fill: inkOn(colour) });
  return textAt(x, y, text, { size, anchor: sideways ? "start" : "middle", tone: "t" });
}

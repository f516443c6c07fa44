/** Heat maps and their colour bars in SVG. */
import { escapeHtml } from "../../metrics/parts/escape.ts";
import { colourOn, inkOn, isFaint, stopsOf } from "./colour.ts";
import { numberText } from "./number-text.ts";
import type { ColorBar, ColorScale, Heatmap, Place } from "./plotly.ts";
import { scaleOf } from "./scales.ts";
import { type Panel, valueText, wrapped } from "./svg-shared.ts";
import { inks, px, textAt, widthOf } from "./svg-text.ts";

export function drawHeatmap(trace: Heatmap, panel: Panel): string {
  const { low, high } = zRange(trace);
  const columns = trace.x ?? trace.z[0]?.map((_, index) => index) ?? [];
  const rows = trace.y ?? trace.z.map((_, index) => index);
  const across = edges(columns, panel.x, panel.unitX);
  const down = edges(rows, panel.y, panel.unitY);
  const gapX = trace.xgap ?? 0;
  const gapY = trace.ygap ?? 0;
  const parts = trace.z.flatMap((values, row) =>
    values.map((value, column) => {
      const [x0, x1] = across[column]!;
      const [y0, y1] = down[row]!;
      const [left, top] = [Math.min(x0, x1) + gapX / 2, Math.min(y0, y1) + gapY / 2];
      const [width, height] = [Math.abs(x1 - x0) - gapX, Math.abs(y1 - y0) - gapY];
      const box = `x="${px(left)}" y="${px(top)}" width="${px(width)}" height="${px(height)}"`;
      const told = trace.text?.[row]?.[column];
      if (value === null || !Number.isFinite(value)) return `<rect ${box} class="tw-h" fill="#f0f2f4"/>`;
      const colour = colourOn(trace.colorscale ?? "accuracy", high === low ? 0.5 : (value - low) / (high - low));
      const title = `<title>${escapeHtml(`${valueText(rows[row])}, ${valueText(columns[column])}: ${told ?? numberText(value)}`)}</title>`;
      const size = Math.min(13, height * 0.62);
      const fits =
        told !== undefined &&
        told !== "" &&
        trace.texttemplate !== undefined &&
        size >= 6 &&
        widthOf(told, size) < width - 1;
      const label = fits
        ? `<text x="${px(left + width / 2)}" y="${px(top + height / 2 + size * 0.35)}" font-size="${px(size)}" text-anchor="middle" ${isFaint(colour) ? `class="tw-t" fill="${inks.t}"` : `fill="${inkOn(colour)}"`}>${escapeHtml(told)}</text>`
        : "";
      return `<rect ${box} fill="${colour}">${title}</rect>${label}`;
    }),
  );
  const drawn = wrapped(parts, trace.opacity);
  return gapX === 0 && gapY === 0 ? `<g shape-rendering="crispEdges">${drawn}</g>` : drawn;
}

/** The values at the two ends of a heat map's colours. */
export function zRange(trace: Heatmap): { low: number; high: number } {
  const values = trace.z.flat().filter((value): value is number => value !== null && Number.isFinite(value));
  return { low: trace.zmin ?? Math.min(...values), high: trace.zmax ?? Math.max(...values) };
}

/** Where each cell begins and ends along an axis: halfway to its neighbours. */
function edges(places: readonly Place[], at: (place: Place) => number, unit: number): [number, number][] {
  const middles = places.map(at);
  return middles.map((middle, index) => {
    const before = index > 0 ? (middles[index - 1]! + middle) / 2 : undefined;
    const after = index < middles.length - 1 ? (middle + middles[index + 1]!) / 2 : undefined;
    const from = before ?? (after === undefined ? middle - unit / 2 : 2 * middle - after);
    return [from, after ?? 2 * middle - from];
  });
}

/** What a colour bar explains. */
export interface ColourKey {
  readonly scale: ColorScale;
  readonly low: number;
  readonly high: number;
  readonly bar: ColorBar;
}

/** The values written at a colour bar: round ones between its ends. */
function keyTicks({ low, high, bar }: ColourKey, height: number): readonly { at: number; text: string }[] {
  const spec = { range: [low, high] as const, ...(bar.tickformat === undefined ? {} : { tickformat: bar.tickformat }) };
  return scaleOf("y", spec, []).ticks(Math.max(2, Math.min(5, Math.floor(height / 30))));
}

const barWidth = 12;
const keySize = 11;

/** The pixels a colour bar needs, labels and title included. */
export function keyWidth(key: ColourKey): number {
  const labels = keyTicks(key, 200).map(({ text }) => barWidth + 5 + widthOf(text, keySize));
  return Math.max(44, ...labels, widthOf(key.bar.title?.text ?? "", keySize) - 10);
}

/** A bar of the colours of a scale with the values between its ends. */
export function drawColourBar(key: ColourKey, box: { left: number; top: number; height: number }, id: string): string {
  const { left, top, height } = box;
  const stops = stopsOf(key.scale).map(([at, colour]) => `<stop offset="${px(at * 100)}%" stop-color="${colour}"/>`);
  const labels = keyTicks(key, height).map(({ at, text }) => {
    const share = key.high === key.low ? 0.5 : (at - key.low) / (key.high - key.low);
    return textAt(left + barWidth + 5, top + height * (1 - share) + 4, text, { size: keySize });
  });
  const title = key.bar.title?.text;
  return [
    `<linearGradient id="${id}" x1="0" y1="1" x2="0" y2="0">${stops.join("")}</linearGradient>`,
    `<rect x="${px(left)}" y="${px(top)}" width="${barWidth}" height="${px(height)}" rx="2" fill="url(#${id})"/>`,
    ...labels,
    title === undefined ? "" : textAt(left + keyWidth(key), top - 8, title, { size: keySize, anchor: "end" }),
  ].join("");
}

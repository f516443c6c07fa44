/** Heat maps and their colour bars in SVG. */
import { escapeHtml } from "../../metrics/parts/escape.ts";
import { colourOn, inkOn, stopsOf } from "./colour.ts";
import { numberText } from "./number-text.ts";
import type { ColorBar, ColorScale, Heatmap, Place } from "./plotly.ts";
import { type Panel, valueText, wrapped } from "./svg-shared.ts";
import { px, textAt, widthOf } from "./svg-text.ts";

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
        ? `<text x="${px(left + width / 2)}" y="${px(top + height / 2 + size * 0.35)}" font-size="${px(size)}" text-anchor="middle" fill="${inkOn(colour)}">${escapeHtml(told)}</text>`
        : "";
      return `<rect ${box} fill="${colour}">${title}</rect>${label}`;
    }),
  );
  return wrapped(parts, trace.opacity);
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

/** A bar of the colours of a scale with the values at its ends and between. */
export function drawColourBar(key: ColourKey, box: { left: number; top: number; height: number }, id: string): string {
  const { left, top, height } = box;
  const stops = stopsOf(key.scale).map(([at, colour]) => `<stop offset="${px(at * 100)}%" stop-color="${colour}"/>`);
  const labels = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = top + height * (1 - share) + 4;
    return textAt(left + 17, y, numberText(key.low + share * (key.high - key.low), key.bar.tickformat), { size: 11 });
  });
  const title = key.bar.title?.text;
  return [
    `<linearGradient id="${id}" x1="0" y1="1" x2="0" y2="0">${stops.join("")}</linearGradient>`,
    `<rect x="${px(left)}" y="${px(top)}" width="12" height="${px(height)}" rx="2" fill="url(#${id})"/>`,
    ...labels,
    title === undefined ? "" : textAt(left, top - 8, title, { size: 11 }),
  ].join("");
}

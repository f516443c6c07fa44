/** A plotly figure as SVG text: our own writer, no dependency, from the same JSON that plotly.js draws. */
import { escapeHtml } from "../../metrics/parts/escape.ts";
import { along, type Box, drawAxis, drawGrid, needs } from "./axes.ts";
import { colourOn } from "./colour.ts";
import { scalesOf } from "./extents.ts";
import { drawLegend, legendEntries, legendHeight } from "./legend.ts";
import { drawAnnotation, drawShape, type PlaceOf, plain } from "./overlays.ts";
import type { Bar, Layout, Marker, Trace } from "./plotly.ts";
import { axisOf, type Scale } from "./scales.ts";
import { barSlots } from "./slots.ts";
import { drawBars, drawBoxes, drawHistogram } from "./svg-bars.ts";
import { type ColourKey, drawColourBar, drawHeatmap, keyWidth, zRange } from "./svg-heatmap.ts";
import { drawScatter } from "./svg-scatter.ts";
import type { Panel, Slot } from "./svg-shared.ts";
import { inks, px, styleSheet, textAt } from "./svg-text.ts";

/** The size of a figure in pixels unless its layout says otherwise; readable when shown at 400. */
export const defaultSize = { width: 560, height: 360 };

/** The SVG text of a figure. */
export function svgOf(traces: readonly Trace[], layout: Layout): string {
  const width = layout.width ?? defaultSize.width;
  const height = layout.height ?? defaultSize.height;
  const id = `tw${hashOf(JSON.stringify([traces, layout]))}`;
  const data = traces.map(painted);
  const slots = barSlots(data, layout);
  const scales = scalesOf(data, layout, slots);
  const keys = colourKeys(traces);
  const entries = legendEntries(data, layout);
  const heading = headingOf(layout);
  const titled = keys.some((key) => key.bar.title !== undefined);
  const top = heading.height + legendHeight(entries, width) + (titled ? 18 : 8) + headingsHeight(layout);
  const box = plotBox(scales, { width, height, top, right: keysWidth(keys) });
  const at = placeIn(scales, box);
  const shapes = layout.shapes ?? [];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeHtml(plain(layout.title?.text ?? "figure"))}" font-family="system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif" style="max-width:100%;height:auto">`,
    `<style>${styleSheet}</style>`,
    `<rect class="tw-b" width="${width}" height="${height}" rx="6" fill="${inks.b}"/>`,
    heading.text,
    drawLegend(entries, heading.height, width),
    ...[...scales.values()].map((scale) => drawGrid(scale, boxOf(scale, scales, box))),
    ...shapes.filter((shape) => shape.layer === "below").map((shape) => drawShape(shape, at)),
    ...panels(data, scales, box).map((panel, index) => drawPanel(panel, slots, `${id}p${index}`)),
    ...shapes.filter((shape) => shape.layer !== "below").map((shape) => drawShape(shape, at)),
    ...[...scales.values()].map((scale) => drawAxis(scale, boxOf(scale, scales, box))),
    ...(layout.annotations ?? []).map((note) => drawAnnotation(note, at)),
    ...keys.map((key, index) => {
      const before = keys.slice(0, index).reduce((sum, other) => sum + keyWidth(other) + 12, 0);
      const place = { left: box.left + box.width + 12 + before, top: box.top, height: box.height };
      return drawColourBar(key, place, `${id}c${index}`);
    }),
    "</svg>",
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function headingOf(layout: Layout): { height: number; text: string } {
  const title = layout.title?.text;
  const subtitle = layout.title?.subtitle?.text;
  if (title === undefined) return { height: 10, text: "" };
  const first = textAt(16, 27, plain(title), { size: 16, tone: "t", weight: 600 });
  if (subtitle === undefined) return { height: 40, text: first };
  return { height: 58, text: first + textAt(16, 46, plain(subtitle), { size: 12.5 }) };
}

/** The room that headings of panels need above the topmost. */
export function headingsHeight({ annotations = [] }: Layout): number {
  const above = annotations.filter(
    ({ yref, y, yanchor }) => yref === "paper" && Number(y) >= 1 && yanchor === "bottom",
  );
  return above.length === 0 ? 0 : 4 + 16 * Math.max(...above.map(({ text }) => text.split("<br>").length));
}

/** The room right of the plot: for colour bars and their labels, or for half a tick label. */
function keysWidth(keys: readonly ColourKey[]): number {
  if (keys.length === 0) return 22;
  return 8 + keys.reduce((sum, key) => sum + keyWidth(key) + 12, 0);
}

/** The plot's own box: what is left when the axes at its edges have their room. Axes between panels live in the gaps. */
function plotBox(
  scales: ReadonlyMap<string, Scale>,
  page: { width: number; height: number; top: number; right: number },
): Box {
  const depthAt = (side: "left" | "right" | "bottom" | "top", pixels: number): number => {
    const upright = side === "left" || side === "right";
    const depths = [...scales.values()].map((scale) => {
      const usual = upright ? "left" : "bottom";
      if (scale.id.startsWith("y") !== upright || (scale.spec.side ?? usual) !== side) return 0;
      const [start, end] = scales.get(anchorOf(scale))?.spec.domain ?? [0, 1];
      const outermost = side === usual ? start < 0.01 : end > 0.99;
      const [from, to] = scale.spec.domain ?? [0, 1];
      return outermost ? needs(scale, pixels * (to - from)).depth : 0;
    });
    return Math.max(0, ...depths);
  };
  const rough = page.height - page.top - 50;
  const left = Math.max(14, depthAt("left", rough) + 8);
  const width = page.width - left - page.right - depthAt("right", rough);
  const top = page.top + depthAt("top", width);
  return { left, top, width, height: Math.max(20, page.height - top - depthAt("bottom", width) - 8) };
}

function anchorOf({ id, spec }: Scale): string {
  return spec.anchor ?? (id.startsWith("x") ? "y" : "x");
}

/** The part of the plot's box that an axis spans, in the other direction what its anchor spans. */
function boxOf(scale: Scale, scales: ReadonlyMap<string, Scale>, box: Box): Box {
  const other = scales.get(anchorOf(scale))?.spec.domain;
  return scale.id.startsWith("x") ? within(box, scale.spec.domain, other) : within(box, other, scale.spec.domain);
}

function within(box: Box, across: readonly [number, number] = [0, 1], up: readonly [number, number] = [0, 1]): Box {
  return {
    left: box.left + across[0] * box.width,
    top: box.top + (1 - up[1]) * box.height,
    width: (across[1] - across[0]) * box.width,
    height: (up[1] - up[0]) * box.height,
  };
}

/** Finds the pixel of a place by its reference. */
function placeIn(scales: ReadonlyMap<string, Scale>, box: Box): PlaceOf {
  return (direction, reference = direction, place) => {
    const [id = direction, domain] = reference.split(" ");
    const scale = scales.get(id);
    const span = id === "paper" ? undefined : scale?.spec.domain;
    const part = direction === "x" ? within(box, span) : within(box, undefined, span);
    const [from, to] = direction === "x" ? [part.left, part.left + part.width] : [part.top + part.height, part.top];
    if (id === "paper" || domain !== undefined) return from + Number(place) * (to - from);
    return scale === undefined ? Number.NaN : along(scale, from, to)(scale.units(place));
  };
}

interface Drawn {
  readonly x: Scale;
  readonly y: Scale;
  readonly box: Box;
  readonly traces: readonly Trace[];
}

/** The panels of a figure: each pair of axes with the traces on it. */
function panels(data: readonly Trace[], scales: ReadonlyMap<string, Scale>, box: Box): Drawn[] {
  const found = new Map<string, { x: Scale; y: Scale; box: Box; traces: Trace[] }>();
  for (const trace of data) {
    const [x, y] = [scales.get(axisOf(trace, "x"))!, scales.get(axisOf(trace, "y"))!];
    const key = `${x.id} ${y.id}`;
    const panel = found.get(key) ?? { x, y, box: within(box, x.spec.domain, y.spec.domain), traces: [] };
    panel.traces.push(trace);
    found.set(key, panel);
  }
  return [...found.values()];
}

function drawPanel({ x, y, box, traces }: Drawn, slots: ReadonlyMap<Bar, Slot>, id: string): string {
  const [atX, atY] = [along(x, box.left, box.left + box.width), along(y, box.top + box.height, box.top)];
  const panel: Panel = {
    x: (value) => atX(x.units(value)),
    y: (value) => atY(y.units(value)),
    unitX: atX(1) - atX(0),
    unitY: atY(1) - atY(0),
  };
  const room = 3;
  const clip = `<clipPath id="${id}"><rect x="${px(box.left - room)}" y="${px(box.top - room)}" width="${px(box.width + 2 * room)}" height="${px(box.height + 2 * room)}"/></clipPath>`;
  return `${clip}<g clip-path="url(#${id})">${traces.map((trace) => draw(trace, panel, slots)).join("")}</g>`;
}

function draw(trace: Trace, panel: Panel, slots: ReadonlyMap<Bar, Slot>): string {
  switch (trace.type) {
    case "scatter":
      return drawScatter(trace, panel);
    case "bar":
      return drawBars(trace, panel, slots.get(trace)!);
    case "heatmap":
      return drawHeatmap(trace, panel);
    case "histogram":
      return drawHistogram(trace, panel);
    case "box":
      return drawBoxes(trace, panel);
  }
}

/** What needs a colour bar: heat maps and points coloured by a number, unless they say otherwise. */
function colourKeys(data: readonly Trace[]): ColourKey[] {
  return data.flatMap((trace): ColourKey[] => {
    if (trace.type === "heatmap") {
      if (trace.showscale === false) return [];
      return [{ scale: trace.colorscale ?? "accuracy", ...zRange(trace), bar: trace.colorbar ?? {} }];
    }
    const numbers = numbersOf(trace);
    const marker = trace.marker;
    if (numbers === undefined || marker?.showscale !== true) return [];
    return [{ scale: marker.colorscale ?? "accuracy", ...colourRange(marker, numbers), bar: marker.colorbar ?? {} }];
  });
}

function numbersOf(trace: Exclude<Trace, { type: "heatmap" }>): readonly number[] | undefined {
  const colours = trace.marker?.color;
  return Array.isArray(colours) && colours.every((colour) => typeof colour === "number") ? colours : undefined;
}

function colourRange(marker: Marker, numbers: readonly number[]): { low: number; high: number } {
  return { low: marker.cmin ?? Math.min(...numbers), high: marker.cmax ?? Math.max(...numbers) };
}

/** A trace whose markers are coloured by numbers, with the colours in their place. */
function painted(trace: Trace): Trace {
  if (trace.type === "heatmap") return trace;
  const numbers = numbersOf(trace);
  const marker = trace.marker;
  if (numbers === undefined || marker === undefined) return trace;
  const { low, high } = colourRange(marker, numbers);
  const color = numbers.map((value) =>
    colourOn(marker.colorscale ?? "accuracy", high === low ? 0.5 : (value - low) / (high - low)),
  );
  return { ...trace, marker: { ...marker, color } };
}

/** A short name for a figure's content, so that ids of several figures on one page differ. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(36);
}

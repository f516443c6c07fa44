/** The legend of a figure: one row of names above the plot, more when they do not fit. */
import { neutral } from "./colour.ts";
import type { Layout, Trace } from "./plotly.ts";
import { dashes, symbolAt } from "./svg-scatter.ts";
import { px, textAt, widthOf } from "./svg-text.ts";

interface Entry {
  readonly name: string;
  readonly trace: Trace;
}

const size = 12.5;
const rowHeight = 20;
const glyph = 26;
const edge = 16;

/** The traces a legend names: all that have a name of their own, when there are at least two or the layout asks for it. */
export function legendEntries(data: readonly Trace[], layout: Layout): readonly Entry[] {
  const found = new Map<string, Entry>();
  for (const trace of data) {
    if (trace.name === undefined || trace.showlegend === false || trace.type === "heatmap") continue;
    const key = trace.legendgroup ?? trace.name;
    if (!found.has(key)) found.set(key, { name: trace.name, trace });
  }
  const wanted = layout.showlegend ?? found.size > 1;
  return wanted ? [...found.values()] : [];
}

function rowsOf(entries: readonly Entry[], width: number): Entry[][] {
  const rows: Entry[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const wide = widthOf(entry.name, size) + glyph + 14;
    if (used + wide > width - 2 * edge) {
      rows.push([]);
      used = 0;
    }
    rows.at(-1)!.push(entry);
    used += wide;
  }
  return rows;
}

/** The pixels the legend needs. */
export function legendHeight(entries: readonly Entry[], width: number): number {
  return rowsOf(entries, width).length * rowHeight;
}

export function drawLegend(entries: readonly Entry[], top: number, width: number): string {
  return rowsOf(entries, width)
    .flatMap((row, line) => {
      let left = edge;
      return row.map(({ name, trace }) => {
        const y = top + line * rowHeight + rowHeight / 2;
        const drawn = sample(trace, left, y) + textAt(left + glyph - 4, y + 4, name, { size });
        left += widthOf(name, size) + glyph + 14;
        return drawn;
      });
    })
    .join("");
}

function sample(trace: Trace, left: number, y: number): string {
  const colour = colourOf(trace);
  if (trace.type !== "scatter")
    return `<rect x="${px(left + 3)}" y="${px(y - 5)}" width="12" height="10" rx="1.5" fill="${colour}"${trace.type === "bar" && trace.marker?.opacity !== undefined ? ` fill-opacity="${trace.marker.opacity}"` : ""}/>`;
  const mode = trace.mode ?? "lines";
  const dash = dashes[trace.line?.dash ?? "solid"];
  const line = mode.includes("lines")
    ? `<path d="M${px(left)} ${px(y)}h18" stroke="${colour}" stroke-width="${trace.line?.width ?? 2}"${dash === "" ? "" : ` stroke-dasharray="${dash}"`}/>`
    : "";
  return line + (mode.includes("markers") ? symbolAt([left + 9, y], 4, trace.marker?.symbol ?? "circle", colour) : "");
}

function colourOf(trace: Trace): string {
  const marker = trace.type === "heatmap" ? undefined : trace.marker?.color;
  const line = trace.type === "scatter" || trace.type === "box" ? trace.line?.color : undefined;
  return line ?? (typeof marker === "string" ? marker : marker?.map(String)[0]) ?? neutral;
}

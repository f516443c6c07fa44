/** Lines, bands, points and text of scatter traces in SVG. */
import { escapeHtml } from "../../metrics/parts/escape.ts";
import { neutral } from "./colour.ts";
import type { Marker, Scatter, Symbols } from "./plotly.ts";
import { errorBars, markColour, type Panel, type Point, path, valueText, wrapped } from "./svg-shared.ts";
import { px, textAt } from "./svg-text.ts";

/** How a line is broken, as SVG says it. */
export const dashes = { solid: "", dot: "1.5 3", dash: "6 4", dashdot: "6 3 1.5 3", longdash: "10 4" } as const;

/** Points beyond this many have no tooltips, and lines beyond it are thinned to what a pixel can show. */
const many = 1000;

export function drawScatter(trace: Scatter, { x, y }: Panel): string {
  const mode = trace.mode ?? "lines";
  const points = trace.x.map((value, index): Point => [x(value), y(trace.y[index])]);
  const colour = trace.line?.color ?? (typeof trace.marker?.color === "string" ? trace.marker.color : neutral);
  const parts: string[] = [];
  if (trace.fill === "toself" || trace.fill === "tozeroy") {
    const area = points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
    if (trace.fill === "tozeroy" && area.length > 0) {
      area.push([area.at(-1)![0], y(0)], [area[0]![0], y(0)]);
    }
    if (area.length > 0) parts.push(`<path d="${path(area)}Z" fill="${trace.fillcolor ?? colour}"/>`);
  }
  if (mode.includes("lines") && hasLine(trace)) {
    const dash = dashes[trace.line?.dash ?? "solid"];
    const lines = runs(points, trace.connectgaps === true).map((run) =>
      path(trace.line?.shape === "hv" ? stairs(run) : thinned(run)),
    );
    const style = `fill="none" stroke="${colour}" stroke-width="${trace.line?.width ?? 2}" stroke-linejoin="round"`;
    if (lines.length > 0)
      parts.push(`<path d="${lines.join("")}" ${style}${dash === "" ? "" : ` stroke-dasharray="${dash}"`}/>`);
  }
  parts.push(errorBars(trace.x, trace.y, { y: trace.error_y, x: trace.error_x }, { x, y }, colour));
  if (mode.includes("markers")) {
    const named = points.length <= many;
    points.forEach((point, index) => {
      if (!point.every(Number.isFinite)) return;
      const label =
        trace.text?.[index] ?? `${trace.name ?? ""} ${valueText(trace.x[index])}, ${valueText(trace.y[index])}`;
      parts.push(pointMark(point, trace.marker, index, colour, named ? label.trim() : undefined));
    });
  }
  if (mode.includes("text")) {
    parts.push(...points.map((point, index) => pointText(point, trace, index)));
  }
  return wrapped(parts, trace.opacity);
}

function hasLine(trace: Scatter): boolean {
  return (trace.line?.width ?? 2) > 0 && (trace.mode ?? "lines").includes("lines");
}

/** The stretches of a line between points that have no place. */
function runs(points: readonly Point[], connect: boolean): Point[][] {
  const found: Point[][] = [[]];
  for (const point of points) {
    if (point.every(Number.isFinite)) found.at(-1)!.push(point);
    else if (!connect) found.push([]);
  }
  return found.filter((run) => run.length > 0);
}

function stairs(points: readonly Point[]): Point[] {
  return points.flatMap(([x, y], index) =>
    index === 0 ? [[x, y] as const] : [[x, points[index - 1]![1]] as const, [x, y] as const],
  );
}

/** A long line with at most the first, lowest, highest and last point of each pixel column. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= many) return points;
  const columns = new Map<number, Point[]>();
  for (const point of points) {
    const column = columns.get(Math.round(point[0]));
    if (column === undefined) columns.set(Math.round(point[0]), [point]);
    else column.push(point);
  }
  return [...columns.values()].flatMap((column) => {
    const low = column.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = column.reduce((a, b) => (b[1] > a[1] ? b : a));
    return column.filter(
      (point, index) => index === 0 || index === column.length - 1 || point === low || point === high,
    );
  });
}

function pointMark([x, y]: Point, marker: Marker | undefined, index: number, colour: string, title?: string): string {
  const size = typeof marker?.size === "number" ? marker.size : (marker?.size?.[index] ?? 6);
  const told = title === undefined ? "" : `<title>${escapeHtml(title)}</title>`;
  return symbolAt([x, y], size / 2, marker?.symbol ?? "circle", markColour(marker, index, colour), {
    title: told,
    ...marker,
  });
}

const placements = {
  "top center": [0, -8, "middle"],
  "bottom center": [0, 16, "middle"],
  "middle right": [8, 4, "start"],
  "middle left": [-8, 4, "end"],
  "middle center": [0, 4, "middle"],
} as const;

function pointText([x, y]: Point, trace: Scatter, index: number): string {
  const text = trace.text?.[index];
  if (text === undefined || !Number.isFinite(x) || !Number.isFinite(y)) return "";
  const [dx, dy, anchor] = placements[trace.textposition ?? "middle center"];
  return textAt(x + dx, y + dy, text, { size: 12, anchor, tone: "t", halo: true });
}

/** A marker around a point. */
export function symbolAt(
  [x, y]: Point,
  radius: number,
  symbol: Symbols,
  colour: string,
  { title = "", opacity, line }: { title?: string; opacity?: number; line?: Marker["line"] } = {},
): string {
  const r = radius;
  const edge = line?.color === undefined ? "" : ` stroke="${line.color}" stroke-width="${line.width ?? 1}"`;
  const filled = `fill="${colour}"${opacity === undefined ? "" : ` fill-opacity="${opacity}"`}${edge}`;
  const corners = (...at: [number, number][]): string =>
    `<path d="${path(at.map(([a, b]) => [x + a * r, y + b * r] as const))}Z" ${filled}>${title}</path>`;
  const strokes = (d: string): string =>
    `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${px(Math.max(1.5, r * 0.5))}"${opacity === undefined ? "" : ` stroke-opacity="${opacity}"`}>${title}</path>`;
  const [left, right, top, bottom] = [px(x - r), px(x + r), px(y - r), px(y + r)];
  switch (symbol) {
    case "square":
      return corners([-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]);
    case "diamond":
      return corners([0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]);
    case "triangle-up":
      return corners([0, -1.2], [1.1, 0.8], [-1.1, 0.8]);
    case "triangle-down":
      return corners([0, 1.2], [1.1, -0.8], [-1.1, -0.8]);
    case "line-ns":
      return strokes(`M${px(x)} ${top}V${bottom}`);
    case "cross":
      return strokes(`M${px(x)} ${top}V${bottom}M${left} ${px(y)}H${right}`);
    case "x":
      return strokes(`M${left} ${top}L${right} ${bottom}M${right} ${top}L${left} ${bottom}`);
    default:
      return `<circle cx="${px(x)}" cy="${px(y)}" r="${px(r)}" ${filled}>${title}</circle>`;
  }
}

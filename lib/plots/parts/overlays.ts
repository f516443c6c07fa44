/** Lines, rectangles and notes that belong to no trace. */
import type { Annotation, Place, Shape } from "./plotly.ts";
import { dashes } from "./svg-scatter.ts";
import { inks, px, textAt } from "./svg-text.ts";

/** The pixel of a place in one direction by its reference: an axis, `paper`, or the span of an axis (`y2 domain`). */
export type PlaceOf = (direction: "x" | "y", reference: string | undefined, place: Place) => number;

export function drawShape(shape: Shape, at: PlaceOf): string {
  const [x0, x1] = [at("x", shape.xref, shape.x0), at("x", shape.xref, shape.x1)];
  const [y0, y1] = [at("y", shape.yref, shape.y0), at("y", shape.yref, shape.y1)];
  if (![x0, x1, y0, y1].every(Number.isFinite)) return "";
  const faint = shape.opacity === undefined ? "" : ` opacity="${shape.opacity}"`;
  if (shape.type === "rect") {
    const edge =
      shape.line?.color === undefined ? "" : ` stroke="${shape.line.color}" stroke-width="${shape.line.width ?? 1}"`;
    return `<rect x="${px(Math.min(x0, x1))}" y="${px(Math.min(y0, y1))}" width="${px(Math.abs(x1 - x0))}" height="${px(Math.abs(y1 - y0))}" fill="${shape.fillcolor ?? "none"}"${edge}${faint}/>`;
  }
  const dash = dashes[shape.line?.dash ?? "solid"];
  const paint = shape.line?.color === undefined ? `class="tw-a" stroke="${inks.a}"` : `stroke="${shape.line.color}"`;
  return `<path d="M${px(x0)} ${px(y0)}L${px(x1)} ${px(y1)}" ${paint} stroke-width="${shape.line?.width ?? 1}"${dash === "" ? "" : ` stroke-dasharray="${dash}"`}${faint}/>`;
}

export function drawAnnotation(note: Annotation, at: PlaceOf): string {
  const [x, y] = [at("x", note.xref, note.x), at("y", note.yref, note.y)];
  if (!Number.isFinite(x) || !Number.isFinite(y)) return "";
  const size = note.font?.size ?? 12;
  const lines = note.text.split("<br>");
  const block = (lines.length - 1) * size * 1.25;
  const down = { top: size * 0.9, middle: size * 0.35 - block / 2, bottom: -size * 0.3 - block }[
    note.yanchor ?? "middle"
  ];
  const anchor = ({ left: "start", center: "middle", right: "end" } as const)[note.xanchor ?? "center"];
  const paint = note.font?.color === undefined ? { tone: "s" as const } : { fill: note.font.color };
  return lines
    .map((line, index) =>
      textAt(x, y + down + index * size * 1.25, plain(line), { size, anchor, halo: true, ...paint }),
    )
    .join("");
}

/** A text without the few HTML tags plotly's annotations understand. */
export function plain(text: string): string {
  return text
    .replace(/<\/?(?:b|i|sub|sup|br)>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

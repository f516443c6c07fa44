/** The frame of a panel in SVG: grid, ticks, labels, titles of the axes. */
import type { Scale } from "./scales.ts";
import { inks, px, textAt, widthOf } from "./svg-text.ts";

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const tickSize = 12;
const titleSize = 12.5;

/** The pixel of a value in units of an axis, along the span from `from` to `to`. */
export function along(scale: Scale, from: number, to: number): (units: number) => number {
  const [low, high] = scale.range;
  return (units) => from + ((units - low) / (high - low)) * (to - from);
}

/** How many ticks there is room for. */
function room(scale: Scale, pixels: number): number {
  return Math.max(2, Math.floor(pixels / (scale.id.startsWith("x") ? 75 : 34)));
}

/** Ticks of an axis that spans so many pixels; none when it hides its labels. */
function labels(scale: Scale, pixels: number) {
  return scale.spec.showticklabels === false || scale.spec.visible === false ? [] : scale.ticks(room(scale, pixels));
}

/** The pixels an axis needs beside the plot, and whether its labels have to stand at a slant to fit. */
export function needs(scale: Scale, pixels: number): { depth: number; slanted: boolean } {
  const ticks = labels(scale, pixels);
  const widest = Math.max(0, ...ticks.map((tick) => widthOf(tick.text, tickSize)));
  const title = scale.spec.title === undefined || scale.spec.visible === false ? 0 : titleSize + 11;
  if (scale.id.startsWith("y")) return { depth: (ticks.length > 0 ? widest + 10 : 4) + title, slanted: false };
  const slanted = ticks.length > 1 && widest + 8 > pixels / ticks.length;
  const depth = ticks.length === 0 ? 4 : slanted ? Math.min(110, widest * 0.64 + 16) : tickSize + 9;
  return { depth: depth + title, slanted };
}

/** Grid lines behind the data. */
export function drawGrid(scale: Scale, box: Box): string {
  const { spec } = scale;
  if (spec.showgrid === false || spec.visible === false || scale.categories !== undefined) return "";
  const upright = scale.id.startsWith("x");
  const at = upright ? along(scale, box.left, box.left + box.width) : along(scale, box.top + box.height, box.top);
  const line = (units: number): string =>
    upright
      ? `M${px(at(units))} ${px(box.top)}v${px(box.height)}`
      : `M${px(box.left)} ${px(at(units))}h${px(box.width)}`;
  const ticks = scale.ticks(room(scale, upright ? box.width : box.height));
  const grid = `<path class="tw-g" d="${ticks.map((tick) => line(tick.at)).join("")}" stroke="${inks.g}"/>`;
  const [low, high] = [Math.min(...scale.range), Math.max(...scale.range)];
  const zero = spec.type !== "log" && spec.zeroline !== false && low < 0 && high > 0;
  return grid + (zero ? `<path class="tw-a" d="${line(0)}" stroke="${inks.a}"/>` : "");
}

/** Labels and title of an axis, beside the box. */
export function drawAxis(scale: Scale, box: Box): string {
  if (scale.spec.visible === false) return "";
  return scale.id.startsWith("x") ? bottomAxis(scale, box) : leftAxis(scale, box);
}

function bottomAxis(scale: Scale, box: Box): string {
  const { slanted, depth } = needs(scale, box.width);
  const onTop = scale.spec.side === "top";
  const edge = onTop ? box.top : box.top + box.height;
  const at = along(scale, box.left, box.left + box.width);
  const ticks = labels(scale, box.width).map(({ at: units, text }) =>
    slanted
      ? textAt(at(units) + 4, edge + (onTop ? -6 : 14), text, {
          size: tickSize,
          anchor: onTop ? "start" : "end",
          rotate: -38,
        })
      : textAt(at(units), edge + (onTop ? -7 : 17), text, { size: tickSize, anchor: "middle" }),
  );
  const title = scale.spec.title?.text;
  const middle = box.left + box.width / 2;
  const line =
    scale.categories === undefined && scale.spec.showgrid !== false
      ? `<path class="tw-a" d="M${px(box.left)} ${px(edge)}h${px(box.width)}" stroke="${inks.a}"/>`
      : "";
  if (title === undefined) return line + ticks.join("");
  const y = onTop ? edge - depth + titleSize : edge + depth - 3;
  return line + ticks.join("") + textAt(middle, y, title, { size: titleSize, anchor: "middle" });
}

function leftAxis(scale: Scale, box: Box): string {
  const { depth } = needs(scale, box.height);
  const onRight = scale.spec.side === "right";
  const edge = onRight ? box.left + box.width : box.left;
  const at = along(scale, box.top + box.height, box.top);
  const ticks = labels(scale, box.height).map(({ at: units, text }) =>
    textAt(edge + (onRight ? 7 : -7), at(units) + 4, text, { size: tickSize, anchor: onRight ? "start" : "end" }),
  );
  const title = scale.spec.title?.text;
  if (title === undefined) return ticks.join("");
  const x = onRight ? edge + depth - 3 : edge - depth + titleSize;
  return (
    ticks.join("") + textAt(x, box.top + box.height / 2, title, { size: titleSize, anchor: "middle", rotate: -90 })
  );
}

/** Pieces of a picture that are put below and beside one another: each knows its size and where the line through it runs. */

/** A piece with a line that enters at its top and leaves at its bottom, `axis` pixels from its left. */
export interface Block {
  readonly width: number;
  readonly height: number;
  readonly axis: number;
  /** Whether the line that enters it ends at a box. */
  readonly boxed?: boolean;
  /** Its SVG, with the left upper corner there. */
  draw(x: number, y: number, page: Page): string;
}

/** What pieces say of themselves while they are drawn. */
export interface Page {
  /** Where values were remembered, by name. */
  readonly remembered: Map<string, readonly [x: number, y: number]>;
  /** From where to where a remembered value goes. */
  readonly arcs: { readonly from: readonly [x: number, y: number]; readonly to: readonly [x: number, y: number] }[];
}

const gap = 18;
const ink = "#5b6470";

/** The width of a text of 12 pixels, about. */
const widthOf = (text: string): number => Math.ceil([...text].length * 6.9);

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A line of text. */
export function textAt(x: number, y: number, text: string, anchor = "middle", size = 12, colour = "#1f2430"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="${colour}">${escaped(text)}</text>`;
}

/** A line with corners, with an arrow at its end if asked for. */
export function line(
  points: readonly (readonly [number, number])[],
  arrow: boolean | undefined = false,
  dashed = false,
): string {
  const path = points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join(" ");
  return `<path d="${path}" fill="none" stroke="${ink}" stroke-width="1.3"${dashed ? ' stroke-dasharray="4 3"' : ""}${arrow ? ' marker-end="url(#arrow)"' : ""}/>`;
}

/** A box with one or two lines of text. */
export function box(text: string, below: string, colour: string): Block {
  const width = Math.max(widthOf(text), widthOf(below) * 0.85, 44) + 18;
  const height = below === "" ? 26 : 38;
  return {
    width,
    height,
    axis: width / 2,
    boxed: true,
    draw: (x, y) =>
      `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="5" fill="${colour}" stroke="${ink}" stroke-width="1"/>${textAt(x + width / 2, y + 17, text)}${below === "" ? "" : textAt(x + width / 2, y + 31, below, "middle", 10, ink)}`,
  };
}

/** The line goes on; a value is remembered there under a name. */
export function dot(name: string): Block {
  const width = 2 * (widthOf(name) + 12);
  return {
    width,
    height: 16,
    axis: width / 2,
    draw(x, y, page) {
      const at = [x + width / 2, y + 8] as const;
      page.remembered.set(name, at);
      return `${line([
        [at[0], y],
        [at[0], y + 16],
      ])}<circle cx="${at[0]}" cy="${at[1]}" r="3.5" fill="${ink}"/>${textAt(at[0] + 9, at[1] + 4, name, "start", 11, ink)}`;
    },
  };
}

/** The line begins anew, with a value that was remembered under a name. */
export function sourceOf(name: string): Block {
  const width = widthOf(name) + 20;
  return {
    width,
    height: 20,
    axis: width / 2,
    boxed: true,
    draw: (x, y) =>
      `<rect x="${x}" y="${y}" width="${width}" height="20" rx="10" fill="#fff" stroke="${ink}" stroke-width="1.3" stroke-dasharray="4 3"/>${textAt(x + width / 2, y + 14, name, "middle", 11)}`,
  };
}

/** Nothing: the line goes through. */
export const through: Block = { width: 20, height: 0, axis: 10, draw: () => "" };

/** Pieces one below the other, with arrows between them. */
export function column(blocks: readonly Block[]): Block {
  if (blocks.length === 0) return through;
  if (blocks.length === 1) return blocks[0]!;
  const axis = Math.max(...blocks.map((block) => block.axis));
  const right = Math.max(...blocks.map((block) => block.width - block.axis));
  const height = blocks.reduce((sum, block) => sum + block.height, 0) + gap * (blocks.length - 1);
  return {
    width: axis + right,
    height,
    axis,
    boxed: blocks[0]!.boxed ?? false,
    draw(x, y, page) {
      let top = y;
      const parts = blocks.map((block, i) => {
        const arrow =
          i === 0
            ? ""
            : line(
                [
                  [x + axis, top - gap],
                  [x + axis, top - 1],
                ],
                block.boxed,
              );
        const drawn = arrow + block.draw(x + axis - block.axis, top, page);
        top += block.height + gap;
        return drawn;
      });
      return parts.join("");
    },
  };
}

/** What comes from elsewhere into a joint: a value remembered under a name. */
export interface Recalled {
  readonly recalled: string;
}

/** Pieces beside one another between a fork and a joint, among them lines that pass by and values that come from elsewhere. */
export function parallel(ways: readonly (Block | Recalled)[], sign: string): Block {
  const blocks = ways.filter((way): way is Block => !("recalled" in way));
  const recalled = ways.filter((way): way is Recalled => "recalled" in way);
  const forks = blocks.length > 1;
  const starts: number[] = [];
  const wide = blocks.reduce((left, block) => {
    starts.push(left);
    return left + block.width + 16;
  }, 0);
  const tall = Math.max(0, ...blocks.map(({ height }) => height));
  const [top, bottom] = forks ? [22, 20] : [0, blocks[0] === through || blocks.length === 0 ? 0 : gap];
  const joint = 20;
  const main = blocks.some((block) => block === through) ? blocks.findIndex((block) => block !== through) : -1;
  const axis = main >= 0 ? starts[main]! + blocks[main]!.axis : Math.max(0, wide - 16) / 2;
  const half = sign.length === 1 ? 10 : widthOf(sign) / 2 + 8;
  const left = Math.max(0, half - axis);
  return {
    width: Math.max(left + wide - 16, left + axis + half),
    height: top + tall + bottom + joint,
    axis: left + axis,
    draw(x0, y, page) {
      const x = x0 + left;
      const centre = x + axis;
      const level = y + top + tall + bottom;
      const middle = level + joint / 2;
      const parts = blocks.map((block, i) => {
        const at = x + starts[i]! + block.axis;
        const own = centre === at;
        const into = forks
          ? line(
              [
                [centre, y],
                [centre, y + 7],
                [at, y + 7],
                [at, y + top - (block.boxed ? 1 : 0)],
              ],
              block.boxed,
            )
          : "";
        const down = y + top + block.height;
        const out =
          own || !forks
            ? line(
                [
                  [at, down],
                  [at, level - 1],
                ],
                tall > 0,
              )
            : line(
                [
                  [at, down],
                  [at, middle],
                  [at > centre ? centre + half + 1 : centre - half - 1, middle],
                ],
                true,
              );
        return into + block.draw(x + starts[i]!, y + top, page) + out;
      });
      for (const { recalled: name } of recalled) {
        const from = page.remembered.get(name);
        if (from !== undefined) page.arcs.push({ from, to: [centre - half, middle] });
      }
      const shape = `<rect x="${centre - half}" y="${level}" width="${2 * half}" height="${joint}" rx="10" fill="#fff" stroke="${ink}" stroke-width="1.3"/>`;
      return `${parts.join("")}${shape}${textAt(centre, level + 14.5, sign, "middle", sign.length === 1 ? 14 : 11)}`;
    },
  };
}

/** A piece in a frame with a title. */
export function framed(inner: Block, title: string): Block {
  const width = Math.max(inner.width + 24, widthOf(title) + 20, 2 * inner.axis + 4);
  const axis = inner.axis + (width - inner.width) / 2;
  return {
    width,
    height: inner.height + 42,
    axis,
    draw: (x, y, page) =>
      `<rect x="${x}" y="${y}" width="${width}" height="${inner.height + 42}" rx="8" fill="none" stroke="${ink}" stroke-width="1" stroke-dasharray="5 4"/>${textAt(x + 8, y + 13, title, "start", 10.5, ink)}${line(
        [
          [x + axis, y],
          [x + axis, y + 27],
        ],
        inner.boxed,
      )}${inner.draw(x + axis - inner.axis, y + 28, page)}${line([
        [x + axis, y + 28 + inner.height],
        [x + axis, y + inner.height + 42],
      ])}`,
  };
}

/** The picture of a piece, with a word above and below it. */
export function svg(whole: Block, above: string, below: string): string {
  const page: Page = { remembered: new Map(), arcs: [] };
  const body = column([box(above, "", "#fff"), whole, box(below, "", "#fff")].filter((block) => block !== through));
  const margin = 16;
  const first = body.draw(0, 0, page);
  const taken: (readonly (readonly [top: number, end: number])[])[] = [];
  const arcs = [...page.arcs]
    .sort((a, b) => a.to[1] - a.from[1] - (b.to[1] - b.from[1]))
    .map(({ from, to: [x, y] }) => {
      // the next lane in which no other arc is at that height
      const free = taken.findIndex((arcs) => arcs.every(([top, end]) => end < from[1] || top > y));
      const lane = free >= 0 ? free : taken.length;
      taken[lane] = [...(taken[lane] ?? []), [from[1], y]];
      const at = -10 - 12 * lane;
      return line([from, [at, from[1]], [at, y], [x - 1, y]], true, true);
    });
  const left = margin + 12 * taken.length;
  const [width, height] = [Math.ceil(body.width + left + margin), Math.ceil(body.height + 2 * margin)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-sans-serif, Helvetica, Arial, sans-serif"><defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="${ink}"/></marker></defs><rect width="${width}" height="${height}" rx="6" fill="#fff"/><g transform="translate(${left} ${margin})">${arcs.join("")}${first}</g></svg>`;
}

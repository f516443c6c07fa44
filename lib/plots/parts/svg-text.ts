/** Text in SVG: how wide it will be, and how it is written. */
import { escapeHtml } from "../../metrics/parts/escape.ts";

const narrow = new Set("iljtfrI.,:;'|!()[] ·");
const wide = new Set("mwMW%@—±∞");

/** About how wide a text is, in pixels, in the sans-serif faces the figures ask for. */
export function widthOf(text: string, size: number): number {
  let ems = 0;
  for (const letter of text)
    ems += narrow.has(letter) ? 0.31 : wide.has(letter) ? 0.86 : /[A-Z]/.test(letter) ? 0.67 : 0.58;
  return ems * size;
}

/** A number of the page with one decimal, no trailing zero. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10 || 0);
}

export interface TextOptions {
  readonly size?: number;
  readonly anchor?: "start" | "middle" | "end";
  /** `t` main text, `s` secondary text. Both follow the page's colour scheme. */
  readonly tone?: "t" | "s";
  /** A fixed colour in the place of the tone. */
  readonly fill?: string;
  readonly weight?: number;
  /** A rim in the colour of the page, so that the text reads over lines. */
  readonly halo?: boolean;
  /** Degrees, about the point. */
  readonly rotate?: number;
}

/** Text at a point; the point is on its baseline. */
export function textAt(x: number, y: number, text: string, options: TextOptions = {}): string {
  const { size = 13, anchor = "start", tone = "s", fill, weight, halo, rotate } = options;
  const rim = halo === true ? ` stroke="${inks.b}" stroke-width="3" paint-order="stroke" stroke-linejoin="round"` : "";
  const classes = [fill === undefined ? `tw-${tone}` : "", halo === true ? "tw-r" : ""].filter((name) => name !== "");
  const styled = classes.length > 0 ? `class="${classes.join(" ")}" ` : "";
  const paint = `${styled}fill="${fill ?? inks[tone]}"${rim}`;
  const turn = rotate === undefined ? "" : ` transform="rotate(${px(rotate)} ${px(x)} ${px(y)})"`;
  return `<text x="${px(x)}" y="${px(y)}" font-size="${size}" text-anchor="${anchor}" ${paint}${weight === undefined ? "" : ` font-weight="${weight}"`}${turn}>${escapeHtml(text)}</text>`;
}

/** The colours on light pages, as attributes: readers that know no style sheets see these. */
export const inks = { t: "#1f2328", s: "#59636e", g: "#e4e7eb", a: "#b3bac2", b: "#ffffff" } as const;

/** The style sheet of every figure: the colours on dark pages. */
export const styleSheet =
  "@media (prefers-color-scheme:dark){.tw-t{fill:#e6eaef}.tw-s{fill:#a2abb6}.tw-g{stroke:#2b313a}.tw-a{stroke:#57606b}.tw-b{fill:#14171c}.tw-h{fill:#262c34}.tw-r{stroke:#14171c}}";

/** Terminal colours as HTML. */
import { escapeHtml } from "../html.ts";

const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

export function ansiHtml(text: string): string {
  let classes = new Set<string>();
  let html = "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is parsed here.
  for (const part of text.split(/(\u001b\[[\d;]*[A-Za-z])/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
    const codes = /^\u001b\[([\d;]*)m$/.exec(part)?.[1];
    if (codes !== undefined) for (const code of codes.split(";")) classes = apply(classes, Number(code));
    else if (part !== "" && part[0] !== "\u001b") {
      html +=
        classes.size > 0 ? `<span class="${[...classes].join(" ")}">${escapeHtml(part)}</span>` : escapeHtml(part);
    }
  }
  return html;
}

function apply(classes: Set<string>, code: number): Set<string> {
  const without = (...removed: string[]) => new Set([...classes].filter((name) => !removed.includes(name)));
  const colours = names.map((name) => `ansi-${name}`);
  if (code === 0) return new Set();
  if (code === 1) return new Set([...classes, "ansi-bold"]);
  if (code === 2) return new Set([...classes, "ansi-dim"]);
  if (code === 22) return without("ansi-bold", "ansi-dim");
  if (code === 39) return without(...colours);
  if (code >= 30 && code <= 37) return new Set([...without(...colours), colours[code - 30]!]);
  if (code >= 90 && code <= 97) return new Set([...without(...colours), colours[code - 90]!]);
  return classes;
}

/** Text without its colours. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  return text.replace(/\u001b\[[\d;]*[A-Za-z]/g, "");
}

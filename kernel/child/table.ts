/** Arrays of plain objects as tables. */
import { inspect } from "node:util";
import { escapeHtml } from "../html.ts";
import type { Bundle } from "../messages.ts";

const maxRows = 60;
const maxColumns = 30;

/** @returns undefined when `value` is not an array of plain objects. */
export function table(value: object): Bundle | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const rows = value.length <= maxRows ? value : [...value.slice(0, maxRows / 2), ...value.slice(-maxRows / 2)];
  if (!rows.every(isPlain)) return undefined;
  const all = [...new Set(rows.flatMap((row) => Object.keys(row as object)))];
  const columns = all.slice(0, maxColumns);
  if (columns.length === 0) return undefined;
  const numeric = new Set(
    columns.filter((c) => rows.every((row) => row[c] === undefined || typeof row[c] === "number")),
  );
  const align = (column: string) => (numeric.has(column) ? ' style="text-align:right"' : ' style="text-align:left"');
  const cell = (tag: string, column: string, content: string) =>
    `<${tag}${align(column)}>${escapeHtml(content)}</${tag}>`;
  const body = rows.map((row, i) => {
    const gap =
      value.length > maxRows && i === maxRows / 2
        ? `<tr><td colspan="${columns.length + 1}">… ${value.length - maxRows} more rows …</td></tr>`
        : "";
    const index = i < maxRows / 2 || value.length <= maxRows ? i : value.length - rows.length + i;
    return `${gap}<tr><th>${index}</th>${columns.map((c) => cell("td", c, shown(row[c]))).join("")}</tr>`;
  });
  const note = all.length > columns.length ? `, ${columns.length} of ${all.length} columns shown` : "";
  return {
    "text/html": `<table class="dataframe"><thead><tr><th></th>${columns.map((c) => cell("th", c, c)).join("")}</tr></thead><tbody>${body.join("")}</tbody></table><small>${value.length} rows${note}</small>`,
  };
}

function shown(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string"
    ? value
    : inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 6 });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}

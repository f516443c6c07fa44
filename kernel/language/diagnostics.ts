/** What the type checker says of a cell, and how it is shown. */

export interface Diagnostic {
  severity: "error" | "warning";
  /** TypeScript's number, 2322. */
  code: number;
  message: string;
  /** Name of the cell, `cell_3.ts`. */
  cell: string;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  length: number;
  /** The source line. */
  text: string;
}

const yellow = (text: string) => `\u001b[33m${text}\u001b[39m`;
const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;

/** Diagnostics with the lines they point at. */
export function excerpts(found: readonly Diagnostic[], limit = 10): string {
  const shown = found.slice(0, limit).map(({ cell, line, column, length, code, message, text }) => {
    const place = `${cell.replace(/^cell_(\d+)\.ts$/, "Cell $1")}, line ${line}`;
    const width = String(line).length;
    const marker = "~".repeat(Math.max(1, Math.min(length, text.length - column + 1)));
    return `${yellow(`TS${code}`)} ${message} ${dim(`(${place})`)}\n  ${line} | ${text}\n  ${" ".repeat(width)} | ${" ".repeat(column - 1)}${yellow(marker)}`;
  });
  if (found.length > limit) shown.push(`… and ${found.length - limit} more`);
  return shown.join("\n");
}

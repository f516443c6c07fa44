import { text } from "../show.ts";
import { type Control, type ControlOptions, control } from "./control.ts";

export interface TableOptions extends ControlOptions {
  /** Which, and in which order. Default: all, as they first come. */
  columns?: readonly string[];
  /** How many rows may be chosen. Default "some". */
  choose?: "some" | "one" | "none";
}

/** Rows to sort and to choose from; its value is the rows that are chosen. */
export function table<R extends object>(
  rows: readonly R[],
  { label, columns, choose = "some" }: TableOptions = {},
): Control<R[]> {
  const names = columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown) =>
    value === undefined || value === null ? "" : /^(number|string|boolean)$/.test(typeof value) ? value : text(value);
  const cells = rows.map((row) => names.map((name) => cell((row as Record<string, unknown>)[name])));
  const place = (row: R): number => {
    const at = rows.indexOf(row);
    if (at < 0) throw new RangeError("table: a row of the table is required, got another object");
    return at;
  };
  return control<R[]>({
    kind: "table",
    state: { label, columns: names, rows: cells, choose, value: [] },
    read: (places) => (places as number[]).map((i) => rows[i]!),
    write: (chosen) => chosen.map(place).sort((a, b) => a - b),
  });
}

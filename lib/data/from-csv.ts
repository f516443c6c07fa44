/** Makes a data set of a CSV file. */
import { readFile } from "node:fs/promises";
import { fromCSV } from "arquero";
import type { Dataset } from "./dataset.ts";
import { type Columns, fromColumns, type TableOptions } from "./parts/columns.ts";
import { csvNames } from "./parts/csv.ts";

export type { TableOptions } from "./parts/columns.ts";

/**
 * Makes a data set of a CSV file whose first line names the columns: `{ label: "species" }` says which one is the class, or
 * `{ numbers: ["price"] }` which numbers are asked for; the other columns, or those in `features`, are the example. Classes keep the names
 * that are written, "007" among them.
 *
 * @throws RangeError for two columns of one name, or a row with more or fewer values than there are columns; TypeError for a value that is
 * missing or no number. They name the column and the row.
 *
 * ```
 * const iris = await fromCsv("iris.csv", { label: "species" });
 * ```
 */
export async function fromCsv(path: string, options: TableOptions): Promise<Dataset<"vector">> {
  const name = options.name ?? "fromCsv";
  const text = (await readFile(path, "utf8")).replace(/^\ufeff/, "");
  csvNames(text, name);
  const { label } = options;
  // the class of a row is kept as it is written: a number may not be exact, or have zeros in front
  const read = fromCSV(text, label === undefined ? {} : { parse: { [label]: (value: string) => value } });
  const columns: Columns = new Map(
    read.columnNames().map((column) => {
      const values = read.array(column) as ArrayLike<unknown>;
      return [column, column === label ? written(Array.from(values as ArrayLike<string>)) : values];
    }),
  );
  return fromColumns(name, columns, options);
}

/** Classes as numbers where all are, and are exact; else as they are written. */
function written(values: readonly string[]): readonly (string | number)[] {
  const exact = (value: string): boolean =>
    /^-?(0|[1-9]\d*)(\.\d+)?$/.test(value) && (!Number.isInteger(Number(value)) || Number.isSafeInteger(Number(value)));
  return values.every((value) => typeof value === "string" && (value === "" || exact(value)))
    ? values.map((value) => (value === "" ? value : Number(value)))
    : values;
}

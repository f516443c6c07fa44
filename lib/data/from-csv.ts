/** Makes a data set of a CSV file. */
import { readFile } from "node:fs/promises";
import { fromCSV } from "arquero";
import type { Dataset } from "./dataset.ts";
import { type Columns, fromColumns, type TableOptions } from "./parts/columns.ts";

export type { TableOptions } from "./parts/columns.ts";

/**
 * Makes a data set of a CSV file whose first line names the columns: `{ label: "species" }` says which one is the class, or
 * `{ numbers: ["price"] }` which numbers are asked for; the other columns, or those in `features`, are the example.
 *
 * ```
 * const iris = await fromCsv("iris.csv", { label: "species" });
 * ```
 */
export async function fromCsv(path: string, options: TableOptions): Promise<Dataset<"vector">> {
  const read = fromCSV(await readFile(path, "utf8"));
  const columns: Columns = new Map(read.columnNames().map((name) => [name, read.array(name) as ArrayLike<unknown>]));
  return fromColumns(options.name ?? "fromCsv", columns, options);
}

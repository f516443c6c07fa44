/** Makes a data set of an Arrow file. */
import { readFile } from "node:fs/promises";
import { tableFromIPC } from "@uwdata/flechette";
import type { Dataset } from "./dataset.ts";
import { type Columns, fromColumns, type TableOptions } from "./parts/columns.ts";

/**
 * Makes a data set of an Arrow file (IPC stream or file, Feather version 2). Options as for `fromCsv`.
 *
 * ```
 * const flights = await fromArrow("flights.arrow", { label: "late", features: ["distance", "hour"] });
 * ```
 */
export async function fromArrow(path: string, options: TableOptions): Promise<Dataset<"vector">> {
  const read = tableFromIPC(await readFile(path));
  const columns: Columns = new Map(
    read.names.map((name) => [String(name), read.getChild(name).toArray() as ArrayLike<unknown>]),
  );
  return fromColumns(options.name ?? "fromArrow", columns, options);
}

/** Makes a data set of Parquet files, such as those that Hugging Face exports. */
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import type { Dataset, Shape } from "./dataset.ts";
import { type ClassId, fromArrays } from "./from-arrays.ts";
import { type Columns, fromColumns, type TableOptions } from "./parts/columns.ts";
import { decodeImage, together } from "./parts/images.ts";

/** What `fromParquet` can be told about images. */
export interface ParquetImages {
  /** The column of encoded images (bytes, or Hugging Face's { bytes, path }). */
  readonly image: string;
  /** The column of labels: whole numbers, booleans, or names. */
  readonly label: string;
  /** The shape [height, width, channels] that all images are resized to; needed where they have several. */
  readonly shape?: Shape;
  /** A name for each class, where labels are numbers. */
  readonly classes?: readonly string[];
  /** Parquet files of the test examples; default a share of 0.2 is set aside. */
  readonly test?: string | readonly string[] | number;
  readonly name?: string;
  readonly source?: string;
}

/**
 * Makes a data set of Parquet files in a local folder: of a table of numbers (options as for `fromCsv`), or, with `{ image, label }`, of
 * encoded images.
 *
 * ```
 * const beans = await fromParquet("train.parquet", { image: "image", label: "labels", shape: [64, 64, 3], test: "test.parquet" });
 * ```
 */
export function fromParquet(paths: string | readonly string[], options: ParquetImages): Promise<Dataset<"image">>;
export function fromParquet(paths: string | readonly string[], options: TableOptions): Promise<Dataset<"vector">>;
export async function fromParquet(
  paths: string | readonly string[],
  options: ParquetImages | TableOptions,
): Promise<Dataset<"image" | "vector">> {
  const rows = await read(paths);
  if (!("image" in options)) {
    const names = Object.keys(rows[0] ?? {});
    const columns: Columns = new Map(names.map((column) => [column, rows.map((row) => row[column])]));
    return fromColumns(options.name ?? "fromParquet", columns, options);
  }
  const { name = "fromParquet", test = 0.2, source = "Parquet files", classes, shape } = options;
  const held = typeof test === "number" ? [] : await read(test);
  const all = [...rows, ...held];
  const images = all.map((row, i) => ({
    name: `${name}, row ${i}`,
    image: decodeImage(bytesOf(row[options.image], i), `row ${i}`),
  }));
  const { bytes, shape: one } = together(images, shape);
  const labels = all.map((row) => label(row[options.label]));
  const size = bytes.length / all.length;
  const cut = rows.length;
  return fromArrays(bytes.subarray(0, cut * size), labels.slice(0, cut), {
    name,
    kind: "image",
    shape: one,
    source,
    ...(classes && { classes }),
    test: typeof test === "number" ? test : { x: bytes.subarray(cut * size), y: labels.slice(cut) },
  });
}

async function read(paths: string | readonly string[]): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const path of typeof paths === "string" ? [paths] : paths) {
    const own = await parquetReadObjects({ file: await asyncBufferFromFile(path), utf8: false });
    const [wanted, got] = [rows[0] ?? own[0] ?? {}, own[0] ?? {}].map((row) => Object.keys(row).sort().join(", "));
    if (wanted !== got)
      throw new TypeError(
        `fromParquet: files of one set of columns are required, got ${wanted}, and ${got} in ${path}`,
      );
    for (const row of own) rows.push(row);
  }
  if (rows.length === 0) throw new RangeError("fromParquet: at least one row is required, got none");
  return rows;
}

function bytesOf(value: unknown, row: number): Uint8Array {
  const inner = typeof value === "object" && value !== null && "bytes" in value ? value.bytes : value;
  if (inner instanceof Uint8Array) return inner;
  throw new TypeError(`fromParquet: encoded images are required, got ${typeof inner} in row ${row}`);
}

/** An id of a class as it stands in the file; what is missing stays so, and is refused. */
function label(value: unknown): ClassId {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : (value as ClassId);
}

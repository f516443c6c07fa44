/** Makes a data set of named columns, whatever file they came from. */
import type { Dataset } from "../dataset.ts";
import { type ClassId, type FromArraysOptions, fromArrays } from "../from-arrays.ts";

/** What can be said of a table. */
export interface TableOptions
  extends Omit<FromArraysOptions<"vector">, "shape" | "kind" | "scale" | "target" | "test"> {
  /** The column of the class. Its values are names: numbers in ascending order, all others sorted by their characters. */
  readonly label?: string;
  /** The columns of numbers that are asked for, instead of a class. */
  readonly numbers?: readonly string[];
  /** The columns that an example is made of; default all others. */
  readonly features?: readonly string[];
  /** The share of each class that is set aside to test; default 0.2. */
  readonly test?: number;
}

/** Columns by name. */
export type Columns = ReadonlyMap<string, ArrayLike<unknown>>;

/**
 * Makes a data set of columns.
 *
 * @throws TypeError when a column does not exist, or a feature is not a number; it names the column and the row.
 */
export function fromColumns(name: string, columns: Columns, options: TableOptions): Dataset<"vector"> {
  const { label, numbers, features, ...rest } = options;
  if ((label === undefined) === (numbers === undefined))
    throw new TypeError(`${name}: a column of labels, as { label }, or columns of { numbers } are required`);
  if (numbers?.length === 0) throw new TypeError(`${name}: at least one column of numbers is required, got none`);
  const get = (column: string): ArrayLike<unknown> => {
    const found = columns.get(column);
    if (found === undefined)
      throw new TypeError(
        `${name}: a column of the table is required, got ${column}; it has ${[...columns.keys()].join(", ")}`,
      );
    return found;
  };
  const asked = numbers ?? [label!];
  const chosen = features ?? [...columns.keys()].filter((column) => !asked.includes(column));
  const own = chosen.find((column) => asked.includes(column));
  if (own !== undefined)
    throw new TypeError(
      `${name}: features that do not hold what is asked for are required, got ${own} as both; leave it out of { features }`,
    );
  if (chosen.length === 0) throw new TypeError(`${name}: at least one column of features is required, got none`);
  const count = get(asked[0]!).length;
  const x = new Float32Array(count * chosen.length);
  chosen.forEach((column, j) => {
    const values = get(column);
    for (let i = 0; i < count; i++) x[i * chosen.length + j] = number(values[i], name, column, i);
  });
  const shape = [chosen.length];
  if (numbers !== undefined) {
    const y = Array.from({ length: count }, (_, i) => numbers.map((column) => number(get(column)[i], name, column, i)));
    return fromArrays(x, y, { name, classes: numbers, ...rest, shape, kind: "vector", target: "numbers" });
  }
  const values = Array.from(get(label!), (value, i) => named(value, name, label!, i));
  const { classes = ordered(values) } = rest;
  // numbers that are none of the names are positions among them
  const known = new Set(classes);
  const positions = values.every((value) => typeof value !== "string" && !known.has(String(value)));
  const y = positions ? values : values.map(String);
  return fromArrays(x, y, { name, ...rest, classes, shape, kind: "vector" });
}

/** The class of a row. */
function named(value: unknown, name: string, column: string, row: number): ClassId {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "boolean" || typeof value === "bigint") return value;
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof Date) return value.toISOString();
  throw new TypeError(
    `${name}: a class for each example is required, got ${JSON.stringify(value) ?? String(value)} in column ${column}, row ${row}; leave out the rows that have none`,
  );
}

/** The classes that occur, in order. */
function ordered(values: readonly ClassId[]): string[] {
  const known = [...new Map(values.map((value) => [String(value), value]))];
  if (known.every(([, value]) => typeof value === "number" || typeof value === "bigint"))
    return known.sort(([, a], [, b]) => (a < b ? -1 : 1)).map(([name]) => name);
  // whole numbers that are too large to be exact are texts, and ascend all the same
  if (known.every(([name]) => /^-?(0|[1-9]\d*)$/.test(name)))
    return known.map(([name]) => name).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  return known.map(([name]) => name).sort();
}

function number(value: unknown, name: string, column: string, row: number): number {
  const got = typeof value === "bigint" || typeof value === "boolean" ? Number(value) : value;
  if (typeof got !== "number" || !Number.isFinite(got))
    throw new TypeError(
      `${name}: a finite number is required, got ${JSON.stringify(value) ?? String(value)} in column ${column}, row ${row}; leave the column out with { features }`,
    );
  return got;
}

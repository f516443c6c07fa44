/** Makes a data set of the user's own arrays. */
import { random } from "../engine/random.ts";
import {
  type Dataset,
  type Kind,
  makeDataset,
  type Raw,
  type Shape,
  select,
  sizeOf,
  type Targets,
  table,
  targetTable,
} from "./dataset.ts";
import { needShare, withDefaults } from "./options.ts";
import { stratified } from "./parts/stratified.ts";

/** Numbers nested as deep as one example's shape. */
export type Nested = number | readonly Nested[] | Raw;

/** What is asked for, example by example: classes by number or name, or rows of numbers. */
export type Asked = ArrayLike<number | string> | readonly (readonly number[])[];

/** What `fromArrays` can be told. */
export interface FromArraysOptions<K extends Kind = Kind> {
  /** The data set's name; default "arrays". */
  readonly name?: string;
  /** What one example is; default "image" for shapes of two or three sizes, else "vector". */
  readonly kind?: K;
  /** The shape of one example; needed where `x` is flat, default what the nesting says. `[28, 28]` becomes `[28, 28, 1]` for images. */
  readonly shape?: Shape;
  /** What numbers are multiplied by in a batch; default 1/255 for bytes, 1 for others. */
  readonly scale?: number;
  /** What is asked for: "class" (default), or "numbers": then `y` holds a number, or a row of numbers, for each example. */
  readonly target?: "class" | "numbers";
  /** A name for each class, in the order of the labels; default the labels themselves. For numbers, a name for each. */
  readonly classes?: readonly string[];
  /** The share of each class that is set aside to test, drawn by `seed`, or the test examples themselves; default 0.2. */
  readonly test?: number | { readonly x: readonly Nested[] | Raw; readonly y: Asked };
  /** Draws the test examples; default 0. */
  readonly seed?: number;
  /** Where the data comes from and under which licence; default "given as arrays". */
  readonly source?: string;
}

/**
 * Makes a data set of arrays: `x` holds one example after the other, `y` its classes, as whole numbers from 0 or as names.
 *
 * `x` is a nested array, a list of typed arrays, or one flat `Uint8Array` or `Float32Array` with `shape` given. A `Uint8Array` stays
 * bytes; everything else becomes single precision. Flat arrays are not copied. With `target: "numbers"` it is a regression.
 *
 * @throws RangeError, TypeError when lengths or shapes disagree, a number is NaN or infinite, or a label is not a class.
 *
 * @example
 * ```ts
 * import { fromArrays } from "thalweg";
 * const data = fromArrays([[0, 1], [1, 0], [0, 2], [2, 0]], ["up", "right", "up", "right"], { test: 0.5 });
 * data.classes; // ["right", "up"]
 * ```
 */
export function fromArrays<K extends Kind = Kind>(
  x: readonly Nested[] | Raw,
  y: Asked,
  options: FromArraysOptions<K> = {},
): Dataset<K> {
  const o = withDefaults<Required<FromArraysOptions<Kind>>>("fromArrays", options, {
    name: "arrays",
    kind: undefined as unknown as Kind,
    shape: undefined as unknown as Shape,
    scale: undefined as unknown as number,
    target: "class",
    classes: undefined as unknown as readonly string[],
    test: 0.2,
    seed: 0,
    source: "given as arrays",
  });
  const own = typeof o.test === "object" ? o.test : undefined;
  const numbers = o.target === "numbers";
  const width = numbers ? widthOf(y) : 0;
  const classes = o.classes ?? (numbers ? numbered(width) : classesOf([...labelled(y), ...labelled(own?.y ?? [])]));
  if (numbers && classes.length !== width)
    throw new RangeError(`fromArrays: a name for each of ${width} numbers is required, got ${classes.length}`);
  const given = rows(x, y.length, options.shape);
  const kind = options.kind ?? (given.shape.length === 2 || given.shape.length === 3 ? "image" : "vector");
  const shape = kind === "image" && given.shape.length === 2 ? [...given.shape, 1] : given.shape;
  const scale = options.scale ?? (given.raw instanceof Uint8Array ? 1 / 255 : 1);
  const made = (raw: Raw, asked: Asked) =>
    numbers
      ? table(raw, new Int32Array(asked.length).fill(-1), shape, scale, targetsOf(asked, width))
      : table(raw, labelsOf(labelled(asked), classes), shape, scale);
  const all = made(given.raw, y);
  const about = { name: o.name, kind: kind as K, classes, source: o.source, ...(numbers && { target: o.target }) };
  if (own !== undefined)
    return makeDataset({ ...about, train: all, test: made(rows(own.x, own.y.length, shape).raw, own.y) });
  const share = needShare("fromArrays", "test", o.test as number, "open");
  const { drawn, rest } = stratified(all.labels, share, random(o.seed).at("test"));
  return makeDataset({ ...about, train: select(all, rest), test: select(all, drawn) });
}

function labelled(y: Asked): readonly (number | string)[] {
  const list = Array.from(y as ArrayLike<number | string | readonly number[]>);
  const row = list.findIndex((label) => typeof label === "object");
  if (row >= 0)
    throw new TypeError(
      `fromArrays: one class for each example is required, got a row of numbers at example ${row}; give { target: "numbers" }`,
    );
  return list as (number | string)[];
}

function numbered(width: number): string[] {
  return width === 1 ? ["y"] : Array.from({ length: width }, (_, i) => `y${i}`);
}

function widthOf(y: Asked): number {
  const first = y[0];
  return typeof first === "object" ? first.length : 1;
}

function targetsOf(y: Asked, width: number): Targets {
  const values = new Float32Array(y.length * width);
  for (let i = 0; i < y.length; i++) {
    const row = typeof y[i] === "object" ? (y[i] as readonly number[]) : [y[i] as number];
    if (row.length !== width || row.some((v) => typeof v !== "number" || !Number.isFinite(v)))
      throw new RangeError(
        `fromArrays: ${width} finite numbers for each example are required, got ${row.join(", ")} at example ${i}`,
      );
    values.set(row, i * width);
  }
  return targetTable(values, width);
}

function classesOf(y: readonly (number | string)[]): string[] {
  if (y.every((label) => typeof label === "string")) return [...new Set(y as string[])].sort();
  let most = -1;
  for (const label of y) if (typeof label === "number" && label > most) most = label;
  return Array.from({ length: most + 1 }, (_, i) => String(i));
}

function labelsOf(y: readonly (number | string)[], classes: readonly string[]): Int32Array {
  const places = new Map(classes.map((name, i) => [name, i]));
  return Int32Array.from({ length: y.length }, (_, i) => {
    const label = y[i]!;
    const place = typeof label === "string" ? places.get(label) : label;
    if (place === undefined || !Number.isInteger(place) || place < 0 || place >= classes.length)
      throw new RangeError(
        `fromArrays: a label from 0 to ${classes.length - 1}, or one of the class names, is required, got ${label} at example ${i}`,
      );
    return place;
  });
}

/** One flat array of rows and the shape of one; every number is finite. */
function rows(x: readonly Nested[] | Raw, count: number, wanted: Shape | undefined): { raw: Raw; shape: Shape } {
  if (count === 0) throw new RangeError("fromArrays: at least one example is required, got none");
  let raw: Raw;
  let shape: Shape;
  if (x instanceof Uint8Array || x instanceof Float32Array) {
    if (wanted === undefined)
      throw new TypeError("fromArrays: the shape of one example is required when x is one flat array; give { shape }");
    [raw, shape] = [x, wanted];
    if (x.length !== count * sizeOf(wanted))
      throw new RangeError(
        `fromArrays: ${count} labels and examples of shape [${wanted}] need ${count * sizeOf(wanted)} numbers, got ${x.length}`,
      );
  } else {
    if (x.length !== count)
      throw new RangeError(
        `fromArrays: one label for each example is required, got ${x.length} examples and ${count} labels`,
      );
    const nested = shapeOf(x[0]!);
    shape = wanted ?? (nested.length === 0 ? [1] : nested);
    const size = sizeOf(shape);
    if (size !== sizeOf(nested))
      throw new RangeError(`fromArrays: examples of shape [${shape}] are required, got [${nested}] at example 0`);
    raw = x.every((row) => row instanceof Uint8Array) ? new Uint8Array(count * size) : new Float32Array(count * size);
    x.forEach((row, i) => {
      fill(row, nested, raw.subarray(i * size, (i + 1) * size), i);
    });
  }
  if (raw instanceof Float32Array) {
    for (let i = 0; i < raw.length; i++)
      if (!Number.isFinite(raw[i]!))
        throw new RangeError(
          `fromArrays: finite numbers are required, got ${raw[i]} in example ${Math.floor(i / sizeOf(shape))}; remove or replace it`,
        );
  }
  return { raw, shape };
}

function shapeOf(row: Nested): number[] {
  if (typeof row === "number") return [];
  return [row.length, ...(row.length > 0 ? shapeOf(row[0] as Nested) : [])];
}

function fill(row: Nested, shape: Shape, out: Raw, example: number): void {
  const disagree = () =>
    new RangeError(
      `fromArrays: examples of one shape are required, got [${shapeOf(row)}] beside [${shape}] in example ${example}`,
    );
  if (typeof row === "number") {
    if (shape.length !== 0) throw disagree();
    out[0] = row;
    return;
  }
  if (shape.length === 0 || row.length !== shape[0]) throw disagree();
  const size = sizeOf(shape.slice(1));
  for (let i = 0; i < row.length; i++)
    fill(row[i] as Nested, shape.slice(1), out.subarray(i * size, (i + 1) * size), example);
}

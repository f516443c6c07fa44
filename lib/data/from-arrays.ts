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
import { needOneOf, needShare, needWhole, withDefaults } from "./options.ts";
import { type ClassId, classIds, classNames, classPlaces } from "./parts/class-ids.ts";
import { stratified } from "./parts/stratified.ts";

export type { ClassId } from "./parts/class-ids.ts";

/** Numbers, one after the other, of any type but the big ones. */
export type Numbers =
  | Raw
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float64Array;

/** Numbers nested as deep as one example's shape. */
export type Nested = number | readonly Nested[] | Numbers;

/** What is asked for, example by example: ids of classes, or rows of numbers. */
export type Asked = ArrayLike<ClassId> | readonly (readonly number[])[];

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
  /**
   * A name for each class, in the order of the columns: `y` then holds these names, or positions among them. Default: the classes that
   * occur, in order. For numbers, a name for each.
   */
  readonly classes?: readonly string[];
  /** The share of each class that is set aside to test, drawn by `seed`, or the test examples themselves; default 0.2. */
  readonly test?: number | { readonly x: readonly Nested[] | Numbers; readonly y: Asked };
  /** Draws the test examples; default 0. */
  readonly seed?: number;
  /** Where the data comes from and under which licence; default "given as arrays". */
  readonly source?: string;
}

/**
 * Makes a data set of arrays: `x` holds one example after the other, `y` the id of its class: a whole number, a string, a boolean or a
 * bigint. The ids that occur, in `y` or among the test examples, are the classes: numbers in ascending order, false before true, strings
 * sorted. 3, 7 and 100 are three classes, named "3", "7" and "100"; a class that is in one of the two tables alone is a class too.
 *
 * `x` is a nested array, a list of typed arrays, or one flat typed array with `shape` given. A `Uint8Array` stays bytes; everything else
 * becomes single precision. Flat arrays of bytes and of single precision are not copied. With `target: "numbers"` it is a regression.
 *
 * @throws RangeError, TypeError when lengths or shapes disagree, a number is NaN or infinite, a label is not a class, or names no class;
 * for −1 among labels from 0 on, which often means that there is none; and where no class has an example to spare for the test.
 *
 * @example
 * ```ts
 * import { fromArrays } from "thalweg";
 * const data = fromArrays([[0, 1], [1, 0], [0, 2], [2, 0]], ["up", "right", "up", "right"], { test: 0.5 });
 * data.classes; // ["right", "up"]
 * ```
 */
export function fromArrays<K extends Kind = Kind>(
  x: readonly Nested[] | Numbers,
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
  for (const [what, given] of Object.entries({ x, y }))
    if (typeof given !== "object" || given === null || !("length" in given))
      throw new TypeError(`fromArrays: a list is required as ${what}, got ${given === null ? "null" : typeof given}`);
  needOneOf("fromArrays", "target", o.target, ["class", "numbers"]);
  const own = typeof o.test === "object" ? o.test : undefined;
  const numbers = o.target === "numbers";
  const width = numbers ? widthOf(y) : 0;
  const [ids, testIds] = [y, own?.y ?? []].map((of) =>
    numbers ? [] : classIds("fromArrays", of as ArrayLike<unknown>),
  ) as [ClassId[], ClassId[]];
  const known = numbers ? [] : ids.concat(testIds);
  const classes = o.classes ?? (numbers ? numbered(width) : classNames("fromArrays", known));
  if (numbers && classes.length !== width)
    throw new RangeError(`fromArrays: a name for each of ${width} numbers is required, got ${classes.length}`);
  const labelsOf = numbers ? undefined : classPlaces("fromArrays", known, classes);
  const given = rows(x, y.length, options.shape);
  const kind = options.kind ?? (given.shape.length === 2 || given.shape.length === 3 ? "image" : "vector");
  const shape = kind === "image" && given.shape.length === 2 ? [...given.shape, 1] : given.shape;
  const scale = options.scale ?? (given.raw instanceof Uint8Array ? 1 / 255 : 1);
  const made = (raw: Raw, asked: Asked, own: readonly ClassId[]) =>
    labelsOf === undefined
      ? table(raw, new Int32Array(asked.length).fill(-1), shape, scale, targetsOf(asked, width))
      : table(raw, labelsOf(own), shape, scale);
  const all = made(given.raw, y, ids);
  const about = { name: o.name, kind: kind as K, classes, source: o.source, ...(numbers && { target: o.target }) };
  if (own !== undefined)
    return makeDataset({
      ...about,
      train: all,
      test: made(alike(given.raw, rows(own.x, own.y.length, shape).raw), own.y, testIds),
    });
  const share = needShare("fromArrays", "test", o.test as number, "open");
  const { drawn, rest } = stratified(all.labels, share, random(o.seed).at("test"));
  if (drawn.length === 0)
    throw new RangeError(
      `fromArrays: a class with two examples is required to set some aside to test, got ${all.length} examples of ${numbers ? "numbers" : `${classes.length} classes`}; give the test examples: { test: { x, y } }`,
    );
  return makeDataset({ ...about, train: select(all, rest), test: select(all, drawn) });
}

/** Test examples in the type of the training examples: bytes beside floats would be scaled in another way. */
function alike(train: Raw, test: Raw): Raw {
  if (train instanceof Uint8Array === test instanceof Uint8Array) return test;
  const [one, other] = [train, test].map((raw) => (raw instanceof Uint8Array ? "bytes" : "floats"));
  throw new TypeError(
    `fromArrays: training and test examples of one type are required, got ${one} and ${other}; give both as bytes (Uint8Array), or both as numbers`,
  );
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
    if (row.length !== width || row.some((v) => typeof v !== "number" || !Number.isFinite(Math.fround(v))))
      throw new RangeError(
        `fromArrays: ${width} finite numbers for each example are required, got ${row.join(", ")} at example ${i}`,
      );
    values.set(row, i * width);
  }
  return targetTable(values, width);
}

/** One flat array of rows and the shape of one; every number is finite. */
function rows(x: readonly Nested[] | Numbers, count: number, wanted: Shape | undefined): { raw: Raw; shape: Shape } {
  if (count === 0) throw new RangeError("fromArrays: at least one example is required, got none");
  wanted?.forEach((size) => {
    needWhole("fromArrays", "every size of shape", size);
  });
  let raw: Raw;
  let shape: Shape;
  if (ArrayBuffer.isView(x)) {
    if (wanted === undefined)
      throw new TypeError("fromArrays: the shape of one example is required when x is one flat array; give { shape }");
    if (x.length !== count * sizeOf(wanted))
      throw new RangeError(
        `fromArrays: ${count} labels and examples of shape [${wanted}] need ${count * sizeOf(wanted)} numbers, got ${x.length}`,
      );
    [raw, shape] = [flat(x), wanted];
  } else {
    if (x.length !== count)
      throw new RangeError(
        `fromArrays: one label for each example is required, got ${x.length} examples and ${count} labels`,
      );
    const nested = shapeOf(x[0]!);
    shape = wanted ?? (nested.length === 0 ? [1] : nested);
    const size = sizeOf(shape);
    if (size !== sizeOf(nested) || size === 0)
      throw new RangeError(
        `fromArrays: examples of shape [${size === 0 ? "at least 1" : shape}] are required, got [${nested}] at example 0`,
      );
    raw = x.every(isBytes) ? new Uint8Array(count * size) : new Float32Array(count * size);
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

const isBytes = (row: unknown): boolean => row instanceof Uint8Array || row instanceof Uint8ClampedArray;

/** One typed array as bytes or single precision; not copied where it is that already. */
function flat(x: Numbers): Raw {
  if (x instanceof Uint8Array || x instanceof Float32Array) return x;
  if (x instanceof Uint8ClampedArray) return new Uint8Array(x.buffer, x.byteOffset, x.length);
  if (typeof x[0] === "bigint")
    throw new TypeError("fromArrays: numbers are required, got bigints; make them a Float32Array");
  return Float32Array.from(x);
}

function shapeOf(row: Nested): number[] {
  if (typeof row !== "object" || row === null) return [];
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
  if (!Array.isArray(row) && !ArrayBuffer.isView(row))
    throw new TypeError(
      `fromArrays: numbers are required, got ${JSON.stringify(row) ?? String(row)} in example ${example}; replace what is missing, and make words numbers`,
    );
  if (shape.length === 0 || row.length !== shape[0]) throw disagree();
  const size = sizeOf(shape.slice(1));
  for (let i = 0; i < row.length; i++)
    fill(row[i] as Nested, shape.slice(1), out.subarray(i * size, (i + 1) * size), example);
}

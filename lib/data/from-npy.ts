/** Makes a data set of NumPy files. */
import { readFile } from "node:fs/promises";
import type { Dataset, Kind } from "./dataset.ts";
import { type Asked, type FromArraysOptions, fromArrays } from "./from-arrays.ts";
import { readNpy, readNpyIds, readZip } from "./parts/npy.ts";

/** Where the arrays are: paths of .npy files, or one path of an .npz file and the names in it. */
export type NpySources =
  | { readonly x: string; readonly y: string; readonly xTest?: string; readonly yTest?: string }
  | {
      readonly npz: string;
      readonly x?: string;
      readonly y?: string;
      readonly xTest?: string;
      readonly yTest?: string;
    };

/**
 * Makes a data set of NumPy arrays: `x` has one example per row, `y` the id of its class (a whole number, a truth value or a text) or, with
 * `target: "numbers"`, its number or numbers. In an .npz
 * file the names are by default those of Keras: x_train, y_train, x_test, y_test.
 *
 * Bytes stay bytes; everything else becomes single precision. Options are those of `fromArrays`; the shape is that of `x`.
 *
 * ```
 * const data = await fromNpy({ npz: "mnist.npz" });
 * ```
 */
export async function fromNpy<K extends Kind = Kind>(
  sources: NpySources,
  options: FromArraysOptions<K> = {},
): Promise<Dataset<K>> {
  let get: (name: string) => Promise<Uint8Array | undefined>;
  let names: { x: string; y: string; xTest?: string; yTest?: string };
  if ("npz" in sources) {
    const files = readZip(await readFile(sources.npz), sources.npz);
    names = {
      x: sources.x ?? "x_train",
      y: sources.y ?? "y_train",
      xTest: sources.xTest ?? "x_test",
      yTest: sources.yTest ?? "y_test",
    };
    get = async (name) => files.get(`${name}.npy`);
  } else {
    names = sources;
    get = (name) => readFile(name);
  }
  const [x, y] = [await get(names.x), await get(names.y)];
  if (x === undefined || y === undefined)
    throw new Error(`fromNpy: arrays ${names.x} and ${names.y} are required; name those that are there as { x, y }`);
  const [xTest, yTest] = [names.xTest && (await get(names.xTest)), names.yTest && (await get(names.yTest))];
  if (!xTest !== !yTest)
    throw new Error(
      `fromNpy: both arrays of the test examples, or neither, are required, got ${xTest ? names.xTest : names.yTest} alone`,
    );
  const named = (name: string | undefined): string => ("npz" in sources ? `${sources.npz}: ${name}` : name!);
  const rows = readNpy(x, named(names.x));
  const testRows = xTest && readNpy(xTest, named(names.xTest));
  if (testRows && String(testRows.shape.slice(1)) !== String(rows.shape.slice(1)))
    throw new RangeError(
      `fromNpy: examples of one shape are required, got [${rows.shape.slice(1)}] to train and [${testRows.shape.slice(1)}] to test`,
    );
  const test = testRows && yTest && { x: testRows.values, y: asked(yTest, named(names.yTest), options) };
  return fromArrays(rows.values, asked(y, named(names.y), options), {
    shape: rows.shape.length === 1 ? [1] : rows.shape.slice(1),
    ...(rows.shape.length > 2 && { kind: "image" as K }),
    ...(test && { test }),
    ...options,
  });
}

/** Ids of classes as a list; rows of numbers where numbers are asked for. */
function asked(file: Uint8Array, name: string, { target }: FromArraysOptions): Asked {
  const { shape } = target === "numbers" ? readNpy(file, name) : readNpyIds(file, name);
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  if (target === "numbers") {
    const { values } = readNpy(file, name);
    return Array.from({ length: shape[0] ?? 1 }, (_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));
  }
  if (width !== 1)
    throw new TypeError(
      `fromNpy: one class for each example is required, got an array of shape (${shape.join(", ")}) in ${name}; of one-hot rows take argmax(1), for numbers give { target: "numbers" }`,
    );
  return readNpyIds(file, name).values;
}

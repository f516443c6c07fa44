/** Makes a data set of NumPy files. */
import { readFile } from "node:fs/promises";
import type { Dataset, Kind } from "./dataset.ts";
import { type FromArraysOptions, fromArrays } from "./from-arrays.ts";
import { type NpyArray, readNpy, readZip } from "./parts/npy.ts";

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
 * Makes a data set of NumPy arrays: `x` has one example per row, `y` one label (or, with `target: "numbers"`, number) per row. In an .npz
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
  let get: (name: string) => Promise<NpyArray | undefined>;
  let names: { x: string; y: string; xTest?: string; yTest?: string };
  if ("npz" in sources) {
    const files = readZip(await readFile(sources.npz), sources.npz);
    names = {
      x: sources.x ?? "x_train",
      y: sources.y ?? "y_train",
      xTest: sources.xTest ?? "x_test",
      yTest: sources.yTest ?? "y_test",
    };
    get = async (name) => {
      const file = files.get(`${name}.npy`);
      return file && readNpy(file, `${sources.npz}: ${name}`);
    };
  } else {
    names = sources;
    get = async (name) => readNpy(await readFile(name), name);
  }
  const [x, y] = [await get(names.x), await get(names.y)];
  if (x === undefined || y === undefined)
    throw new Error(`fromNpy: arrays ${names.x} and ${names.y} are required; name those that are there as { x, y }`);
  const [xTest, yTest] = [names.xTest && (await get(names.xTest)), names.yTest && (await get(names.yTest))];
  const test = xTest && yTest ? { x: xTest.values, y: asked(yTest, options) } : undefined;
  return fromArrays(x.values, asked(y, options), {
    shape: x.shape.length === 1 ? [1] : x.shape.slice(1),
    ...(x.shape.length > 2 && { kind: "image" as K }),
    ...(test && { test }),
    ...options,
  });
}

/** Labels as a list; rows of numbers where numbers are asked for and there are several. */
function asked({ shape, values }: NpyArray, { target }: FromArraysOptions) {
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  if (target !== "numbers" || width === 1) return values;
  return Array.from({ length: shape[0]! }, (_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));
}

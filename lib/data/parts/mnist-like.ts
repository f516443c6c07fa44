/** Data sets in MNIST's four idx files. */
import { type Dataset, type Examples, makeDataset, table } from "../dataset.ts";
import { type FetchOptions, fetched, type Places } from "./fetched.ts";
import { readIdx } from "./idx.ts";

/** What makes one of MNIST's relatives. */
export interface MnistLike extends Omit<Places, "files"> {
  readonly classes: readonly string[];
  readonly source: string;
  /** SHA-256 of the four unzipped files: train images, train labels, test images, test labels. */
  readonly sha256: readonly [string, string, string, string];
  /** The names of the four files in the same order; default MNIST's. */
  readonly names?: readonly [string, string, string, string];
  /** What is taken from a label as it is in the file; default 0. */
  readonly firstLabel?: number;
}

const mnistNames = [
  "train-images-idx3-ubyte.gz",
  "train-labels-idx1-ubyte.gz",
  "t10k-images-idx3-ubyte.gz",
  "t10k-labels-idx1-ubyte.gz",
] as const;

/** Loads the four files and makes the data set of them. */
export async function mnistLike(set: MnistLike, options: FetchOptions = {}): Promise<Dataset<"image">> {
  const names = set.names ?? mnistNames;
  const files = names.map((name, i) => ({ name, sha256: set.sha256[i]! }));
  const found = await fetched({ ...set, files }, options);
  const part = (images: string, labels: string) => examples(set, found, images, labels);
  return makeDataset({
    name: set.name,
    kind: "image",
    classes: set.classes,
    train: part(names[0], names[1]),
    test: part(names[2], names[3]),
    source: set.source,
  });
}

function examples(set: MnistLike, found: ReadonlyMap<string, Uint8Array>, images: string, labels: string): Examples {
  const x = readIdx(found.get(images)!, images);
  const y = readIdx(found.get(labels)!, labels);
  const [count, height, width] = x.sizes;
  if (x.sizes.length !== 3)
    throw new Error(`${images}: images (count × height × width) are required, got ${x.sizes.join(" × ")}`);
  if (y.sizes.length !== 1 || y.sizes[0] !== count)
    throw new Error(`${labels}: one label for each of ${count} images is required, got ${y.sizes.join(" × ")}`);
  const first = set.firstLabel ?? 0;
  const own = new Int32Array(count!);
  for (let i = 0; i < own.length; i++) own[i] = y.bytes[i]! - first;
  return table(x.bytes, own, [height!, width!, 1], 1 / 255);
}

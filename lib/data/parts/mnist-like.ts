/** Data sets in MNIST's four idx files. */
import { type Dataset, type Examples, makeDataset, table } from "../dataset.ts";
import { type FetchOptions, fetched, type Places } from "./fetched.ts";
import { readIdx } from "./idx.ts";

/** What makes one of MNIST's relatives. */
export interface MnistLike extends Omit<Places, "files"> {
  readonly classes: readonly string[];
  readonly source: string;
  /** SHA-256 of the four unzipped files, or MD5 of the four as they are: train images, train labels, test images, test labels. */
  readonly sha256?: readonly string[];
  readonly fileMd5?: readonly string[];
  /** The names of the four files in the same order; default MNIST's. */
  readonly names?: readonly [string, string, string, string];
  /** What is taken from a label as it is in the file; default 0. */
  readonly firstLabel?: number;
  /** Whether images lie on their side in the files, with rows and columns exchanged; default false. */
  readonly transposed?: boolean;
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
  const files = names.map((name, i) => ({
    name,
    ...(set.sha256 && { sha256: set.sha256[i]! }),
    ...(set.fileMd5 && { fileMd5: set.fileMd5[i]! }),
  }));
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
  const pixels = set.transposed ? turned(x.bytes, height!, width!) : x.bytes;
  return table(pixels, own, [height!, width!, 1], 1 / 255);
}

/** Images with rows and columns exchanged. */
function turned(bytes: Uint8Array, height: number, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  const size = height * width;
  for (let start = 0; start < bytes.length; start += size)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) out[start + y * width + x] = bytes[start + x * height + y]!;
  return out;
}

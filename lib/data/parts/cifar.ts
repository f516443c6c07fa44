/** Data sets in the binary format of CIFAR. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Dataset, type Examples, makeDataset, table } from "../dataset.ts";
import { type FetchOptions, fetched } from "./fetched.ts";
import { readTar } from "./tar.ts";

/** What makes one of the two CIFARs. */
export interface Cifar {
  readonly name: string;
  readonly archive: string;
  readonly fileSha256: string;
  readonly train: readonly string[];
  readonly test: string;
  /** Bytes of labels before the pixels; the last one is the class. */
  readonly labelBytes: number;
  readonly classes: readonly string[];
}

/** Loads the batches from a folder that has them, or from the archive. */
export async function cifar(set: Cifar, options: FetchOptions): Promise<Dataset<"image">> {
  const names = [...set.train, set.test];
  const { folder } = options;
  const loose = folder !== undefined && names.every((name) => existsSync(join(folder, name)));
  let files: ReadonlyMap<string, Uint8Array>;
  if (loose) {
    files = new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)));
  } else {
    const found = await fetched(
      {
        name: set.name,
        files: [{ name: set.archive, fileSha256: set.fileSha256 }],
        url: "https://www.cs.toronto.edu/~kriz/",
      },
      options,
    );
    files = readTar(unzipped(found.get(set.archive)!, set.archive), set.archive);
  }
  return makeDataset({
    name: set.name,
    kind: "image",
    classes: set.classes,
    train: examples(set, set.train, files),
    test: examples(set, [set.test], files),
    source: "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009, no licence stated",
  });
}

function unzipped(file: Uint8Array, name: string): Uint8Array {
  try {
    return gunzipSync(file);
  } catch (cause) {
    throw new Error(`${name}: a whole gzip file is required, got a damaged one; fetch it again`, { cause });
  }
}

/** Records of label bytes and three planes of 32×32 bytes become images with the colour innermost. */
function examples({ labelBytes }: Cifar, names: readonly string[], files: ReadonlyMap<string, Uint8Array>): Examples {
  const record = labelBytes + 3072;
  const parts = names.map((name) => {
    const file = files.get(name);
    if (file === undefined)
      throw new Error(`${name}: this file is required in the archive, and is not there; fetch it again`);
    if (file.length === 0 || file.length % record !== 0)
      throw new Error(
        `${name}: whole records of ${record} bytes are required, got ${file.length} bytes; fetch it again`,
      );
    return file;
  });
  const count = parts.reduce((sum, part) => sum + part.length / record, 0);
  const x = new Uint8Array(count * 3072);
  const labels = new Int32Array(count);
  let i = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += record, i++) {
      labels[i] = part[at + labelBytes - 1]!;
      for (let pixel = 0; pixel < 1024; pixel++)
        for (let c = 0; c < 3; c++) x[i * 3072 + pixel * 3 + c] = part[at + labelBytes + c * 1024 + pixel]!;
    }
  }
  return table(x, labels, [32, 32, 3], 1 / 255);
}

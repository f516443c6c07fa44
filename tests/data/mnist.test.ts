import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { mnist } from "../../lib/data/mnist.ts";
import { readIdx } from "../../lib/data/parts/idx.ts";

/** An idx file of bytes. */
function idx(sizes: number[], bytes: number[]): Uint8Array {
  const header = sizes.flatMap((n) => [n >> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
  return Uint8Array.from([0, 0, 8, sizes.length, ...header, ...bytes]);
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thalweg-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function fill(files: Record<string, Uint8Array> = {}): void {
  const all = {
    "train-images-idx3-ubyte.gz": gzipSync(idx([3, 2, 2], [...Array(12).keys()])),
    "train-labels-idx1-ubyte.gz": gzipSync(idx([3], [4, 0, 9])),
    "t10k-images-idx3-ubyte": idx([1, 2, 2], [255, 0, 255, 0]),
    "t10k-labels-idx1-ubyte": idx([1], [1]),
    ...files,
  };
  for (const [name, file] of Object.entries(all)) writeFileSync(join(folder, name), file);
}

describe("mnist from a folder", () => {
  test("reads gzipped and plain idx files", async () => {
    fill();
    const data = await mnist({ folder });
    expect(data.shape).toEqual([2, 2, 1]);
    expect([...data.train.labels]).toEqual([4, 0, 9]);
    expect([...gather(data.test, [0])]).toEqual([1, 0, 1, 0]);
  });

  const images = "train-images-idx3-ubyte.gz";
  const whole = gzipSync(idx([3, 2, 2], [...Array(12).keys()]));
  const flipped = Uint8Array.from(whole);
  flipped[whole.length - 6]! ^= 255;
  const bad: [string, Record<string, Uint8Array>, string][] = [
    [
      "a gzip file cut short",
      { [images]: whole.subarray(0, whole.length - 9) },
      "a whole gzip file is required, got a damaged one",
    ],
    ["a gzip file with a wrong byte", { [images]: flipped }, "a whole gzip file is required, got a damaged one"],
    [
      "a truncated idx file",
      { [images]: idx([3, 2, 2], [1, 2, 3]) },
      "the header promises 3 × 2 × 2 = 12 values, got 3",
    ],
    ["a file that ends in its header", { [images]: Uint8Array.of(0, 0, 8, 3, 0) }, "the file ends inside its header"],
    ["a file of another format", { [images]: Buffer.from("<html>not found</html>") }, "got bytes 3c 68 74 6d"],
    ["an empty file", { [images]: new Uint8Array() }, "got an empty file"],
    ["an idx file of floats", { [images]: Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0) }, "type 8) is required, got type 13"],
    [
      "fewer labels than images",
      { "train-labels-idx1-ubyte.gz": idx([2], [1, 2]) },
      "one label for each of 3 images is required, got 2",
    ],
    [
      "labels outside the classes",
      { "t10k-labels-idx1-ubyte": idx([1], [10]) },
      "labels from 0 to 9 are required, got 10 at example 0",
    ],
    [
      "labels where images should be",
      { [images]: idx([3], [1, 2, 3]) },
      "images (count × height × width) are required, got 3",
    ],
  ];
  test.each(bad)("refuses %s", async (_, files, message) => {
    fill(files);
    await expect(mnist({ folder })).rejects.toThrow(message);
  });

  test("says the three ways when the folder has no files", async () => {
    await expect(mnist({ folder })).rejects.toThrow(
      /mnist: train-images-idx3-ubyte.gz is required in .*three ways.*\{ folder \}.*install them with `go mod download.*downloaded once from https/,
    );
  });
});

test("an idx file of any rank keeps its sizes", () => {
  expect(readIdx(idx([2, 1, 3], [1, 2, 3, 4, 5, 6]), "x").sizes).toEqual([2, 1, 3]);
});

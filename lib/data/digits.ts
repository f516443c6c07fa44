/** The UCI optical digits, which come with the library. */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type Dataset, makeDataset, table } from "./dataset.ts";

const count = 1797;
const trained = 1437;
let made: Dataset<"image"> | undefined;

/**
 * The 1,797 handwritten digits of the UCI optical recognition test set: 8×8 pixels of 0–16, 10 classes.
 *
 * The first 1,437 (80 %) train and the last 360 test, as the file has them: 141–146 and 33–37 of each class. The pixels are bytes and
 * become 0–1 in a batch. Nothing is downloaded.
 *
 * Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
 * doi:10.24432/C50P49, licence CC BY 4.0.
 *
 * @example
 * ```ts
 * import { digits } from "thalweg";
 * digits().train.length; // 1437
 * ```
 */
export function digits(): Dataset<"image"> {
  made ??= load();
  return made;
}

function load(): Dataset<"image"> {
  const beside = new URL("./files/digits.bin.gz", import.meta.url);
  const packaged = new URL("../../../lib/data/files/digits.bin.gz", import.meta.url); // seen from dist/lib/data
  const bytes = new Uint8Array(gunzipSync(readFileSync(existsSync(beside) ? beside : packaged)));
  const labels = Int32Array.from(bytes.subarray(count * 64));
  const part = (from: number, to: number) =>
    table(bytes.subarray(from * 64, to * 64), labels.subarray(from, to), [8, 8, 1], 1 / 16);
  return makeDataset({
    name: "digits",
    kind: "image",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    train: part(0, trained),
    test: part(trained, count),
    source: "E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, doi:10.24432/C50P49, CC BY 4.0",
  });
}

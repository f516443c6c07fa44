/** Makes a data set of text: what comes next? */
import { readFile } from "node:fs/promises";
import { type Dataset, type Examples, makeDataset, table } from "./dataset.ts";
import { needShare, needWhole, withDefaults } from "./options.ts";

/** What `fromText` can be told. */
export interface FromTextOptions {
  /** What a token is; default "character". */
  readonly level?: "character" | "byte";
  /** Tokens in an example; default 64. */
  readonly length?: number;
  /** The share at the end of the text that is set aside to test; default 0.1. */
  readonly test?: number;
  readonly name?: string;
  readonly source?: string;
}

/**
 * Makes a data set of a text: an example is `length` tokens in a row, its targets are the tokens that follow each ("tokens"). The tokens
 * are the characters, or the bytes, that occur, in their order; examples are in the order of the text and do not overlap, so
 * `sequence(data, n)` is a stream of its chapters. The end of the text is set aside to test.
 *
 * @example
 * ```ts
 * import { fromText } from "thalweg";
 * const data = fromText("to be or not to be, that is the question", { length: 4 });
 * data.classes.slice(0, 3); // [" ", ",", "a"]
 * ```
 */
export function fromText(text: string, options: FromTextOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<FromTextOptions>>("fromText", options, {
    level: "character",
    length: 64,
    test: 0.1,
    name: "text",
    source: "a given text",
  });
  needWhole("fromText", "length", o.length);
  needShare("fromText", "test", o.test, "open");
  const units: readonly (string | number)[] = o.level === "byte" ? [...Buffer.from(text, "utf8")] : [...text];
  const known = [...new Set(units)].sort((a, b) => (a < b ? -1 : 1));
  const place = new Map(known.map((unit, i) => [unit, i]));
  const tokens = Uint32Array.from(units, (unit) => place.get(unit)!);
  const windows = Math.floor((tokens.length - 1) / o.length);
  const tested = Math.max(1, Math.round(windows * o.test));
  if (windows - tested < 1)
    throw new RangeError(
      `fromText: at least ${2 * o.length + 1} tokens are required for examples of ${o.length}, got ${tokens.length}`,
    );
  const part = (from: number, to: number) => windowsOf(tokens.subarray(from * o.length, to * o.length + 1), o.length);
  return makeDataset({
    name: o.name,
    kind: "sequence",
    target: "tokens",
    classes: known.map((unit) => (typeof unit === "number" ? `0x${unit.toString(16).padStart(2, "0")}` : unit)),
    train: part(0, windows - tested),
    test: part(windows - tested, windows),
    source: o.source,
  });
}

/** `fromText` of a file in UTF-8, named by its path. */
export async function fromTextFile(path: string, options: FromTextOptions = {}): Promise<Dataset<"sequence">> {
  return fromText(await readFile(path, "utf8"), { name: path.split("/").at(-1)!, source: path, ...options });
}

/** Windows that do not overlap; the targets of each are its tokens moved by one. */
function windowsOf(tokens: Uint32Array, length: number): Examples {
  const count = Math.floor((tokens.length - 1) / length);
  const x = Float32Array.from(tokens.subarray(0, count * length));
  return table(x, new Int32Array(count).fill(-1), [length], 1, {
    width: length,
    read(at, out, offset = 0) {
      for (let i = 0; i < at.length; i++)
        for (let j = 0; j < length; j++) out[offset + i * length + j] = tokens[at[i]! * length + j + 1]!;
    },
  });
}

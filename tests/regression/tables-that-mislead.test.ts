import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromCSV } from "arquero";
import fc from "fast-check";
import { confusion, fromArrays, fromCsv } from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { csvNames } from "../../lib/data/parts/csv.ts";

const folder = mkdtempSync(join(tmpdir(), "tables-"));
afterAll(() => rmSync(folder, { recursive: true }));

const csv = (text: string, options: object = { label: "kind" }) => {
  const path = join(folder, "table.csv");
  writeFileSync(path, text);
  return fromCsv(path, { test: 0.5, ...options } as never);
};

describe("a CSV file whose values would be taken for others is refused", () => {
  const bad: [string, string, object, string][] = [
    [
      "two columns of one name",
      "x,x,kind\n1,2,a\n",
      {},
      'a name of its own for each column is required, got "x" twice',
    ],
    ["a decimal comma", "x,kind\n1,5,a\n", {}, "2 values in every row are required, got 3 in row 0"],
    ["a short row", "x,y,kind\n1,2,a\n3,b\n", {}, "3 values in every row are required, got 2 in row 1"],
    ["a class that is missing", 'x,kind\n1,a\n2,""\n', {}, "in column kind, row 1; leave out the rows that have none"],
    ["a number that is missing", "x,kind\n1,a\n,b\n", {}, "a finite number is required, got null in column x, row 1"],
    ["no rows", "x,kind\n", {}, "at least one row of values is required, got none"],
    ["nothing", "", {}, "a line of names and a row of values are required, got nothing"],
    [
      "what is asked for among the features",
      "x,kind\n1,2\n2,1\n",
      { features: ["x", "kind"] },
      "features that do not hold what is asked for are required, got kind as both",
    ],
    ["no numbers to ask for", "x,kind\n1,2\n", { label: undefined, numbers: [] }, "at least one column of numbers"],
    [
      "only one of each class",
      "x,kind\n1,a\n2,b\n",
      {},
      "a class with two examples is required to set some aside to test",
    ],
  ];
  test.each(bad)("%s", async (_, text, options, message) => {
    await expect(csv(text, { label: "kind", ...options })).rejects.toThrow(message);
  });
});

describe("classes in a CSV file keep the names that are written", () => {
  const named = async (ids: readonly string[]) =>
    (await csv(`x,kind\n${[...ids, ...ids].map((id, i) => `${i},${id}`).join("\n")}\n`)).classes;

  test("zeros in front, numbers that are not exact, truth values, numbers with a point", async () => {
    expect(await named(["007", "07", "7"])).toEqual(["007", "07", "7"]);
    expect(await named(["9007199254740993", "9007199254740992", "5"])).toEqual([
      "5",
      "9007199254740992",
      "9007199254740993",
    ]);
    expect(await named(["true", "false"])).toEqual(["false", "true"]);
    expect(await named(["1.5", "0.5", "-2"])).toEqual(["-2", "0.5", "1.5"]);
    expect(await named(["2024-01-02", "2023-12-31"])).toEqual(["2023-12-31", "2024-01-02"]);
  });

  test("positions among given names are positions, names are names", async () => {
    const labels = async (ids: string, classes: string[]) => {
      const data = await csv(ids, { label: "kind", classes });
      return [...data.train.labels].map((label) => data.classes[label]).sort();
    };
    expect(await labels("x,kind\n1,0\n2,1\n3,0\n4,1\n", ["cat", "dog"])).toEqual(["cat", "dog"]);
    expect(await labels("x,kind\n1,3\n2,100\n3,3\n4,100\n", ["100", "3"])).toEqual(["100", "3"]);
  });
});

test("any text that is read as a table has the names that are checked", () => {
  const value = fc.string({ unit: fc.constantFrom("a", "b", ",", '"', " ", "1", "\n"), maxLength: 6 });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(
      fc.uniqueArray(value, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      (names, rows, end) => {
        const line = names.map(quoted).join(",");
        const text = [line, ...Array.from({ length: rows }, () => line)].join("\r\n") + (end ? "\n" : "");
        expect(csvNames(text, "t")).toEqual(names);
        // another reader sees as many columns and rows
        const read = fromCSV(text, { autoType: false });
        expect([read.numCols(), read.numRows()]).toEqual([names.length, rows]);
      },
    ),
    { numRuns: 200, seed: 7 },
  );
});

describe("arrays that mislead are refused", () => {
  const y = [0, 1, 0, 1];
  const bad: [string, () => unknown, string][] = [
    ["words for numbers", () => fromArrays([["1"], ["2"], ["1"], ["2"]] as never, y), 'numbers are required, got "1"'],
    [
      "what is missing",
      () => fromArrays([[null], [2], [1], [2]] as never, y),
      "numbers are required, got null in example 0",
    ],
    ["rows of nothing", () => fromArrays([[], [], [], []], y), "got [0] at example 0"],
    ["no list", () => fromArrays(undefined as never, y), "a list is required as x, got undefined"],
    [
      "bytes to train and floats to test",
      () => fromArrays(new Uint8Array(4), y, { shape: [1], test: { x: [[0.5]], y: [1] } }),
      "training and test examples of one type are required, got bytes and floats",
    ],
    [
      "a number that single precision does not hold",
      () => fromArrays([[1], [2]], [1, 1e39], { target: "numbers" }),
      "1 finite numbers for each example are required, got 1e+39 at example 1",
    ],
    ["a target that is none", () => fromArrays([[1], [2]], y, { target: "number" as never }), 'got "number"'],
    ["a shape that is none", () => fromArrays(new Float32Array(4), y, { shape: [0.5] }), "every size of shape must be"],
    ["a confusion of nothing", () => confusion([], [], 2), "at least one label is required, got none"],
  ];
  test.each(bad)("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  test("flat numbers of any type are taken", () => {
    const options = { shape: [1], test: 0.5 } as const;
    for (const Type of [Float64Array, Int32Array, Int8Array, Uint16Array])
      expect(fromArrays(Type.from([1, 2, 3, 4]), y, options).train.bytes).toBe(false);
    const clamped = fromArrays(Uint8ClampedArray.from([1, 2, 3, 4]), y, options);
    expect([clamped.train.bytes, clamped.checksum]).toEqual([
      true,
      fromArrays(Uint8Array.from([1, 2, 3, 4]), y, options).checksum,
    ]);
  });
});

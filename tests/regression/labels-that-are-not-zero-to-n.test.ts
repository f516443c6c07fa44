import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import {
  adam,
  type ClassId,
  classes,
  digits,
  experienceTable,
  fromArrays,
  fromCsv,
  fromNpy,
  mlp,
  operators,
  specFromJson,
  specHash,
  streamTimeline,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { npyOf } from "./support.ts";

/** Two examples of each id, which differ in their first number alone. */
const of = (ids: readonly ClassId[], options: object = {}) =>
  fromArrays(
    [...ids, ...ids].map((_, i) => [i % ids.length, i]),
    [...ids, ...ids],
    { test: 0.5, ...options },
  );
const named = (data: ReturnType<typeof of>) => [...data.train.labels].map((label) => data.classes[label]);

describe("ids of classes become classes in order", () => {
  const cases: [string, ClassId[], string[]][] = [
    ["3, 7, 100", [7, 100, 3], ["3", "7", "100"]],
    ["from one on", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]],
    ["10 to 13", [10, 11, 12, 13], ["10", "11", "12", "13"]],
    ["an id of 5e9", [5e9, 2], ["2", "5000000000"]],
    ["an id of 1e6", [1e6, 0], ["0", "1000000"]],
    ["booleans", [true, false], ["false", "true"]],
    [
      "bigints that doubles cannot tell apart",
      [9007199254740993n, 9007199254740992n],
      ["9007199254740992", "9007199254740993"],
    ],
    ["the two signs", [1, -1], ["-1", "1"]],
    ["negative ids", [-5, 3, -1], ["-5", "-1", "3"]],
    ["0 and 2", [0, 2], ["0", "2"]],
    ["strings, by their characters", ["b", "a", "10", "9"], ["10", "9", "a", "b"]],
    ["the same ids as numbers, bigints and strings", [3, 7n, "12"], ["3", "7", "12"]],
  ];
  test.each(cases)("%s", (_, ids, names) => {
    const data = of(ids);
    expect(data.classes).toEqual(names);
    expect([data.train.length, data.test.length]).toEqual([ids.length, ids.length]);
    // every example has the name of the id that it was given: its first number is the id's position
    const [row] = [new Float32Array(2)];
    data.train.labels.forEach((label, i) => {
      data.train.read([i], row);
      expect(data.classes[label]).toBe(String(ids[row[0]!]));
    });
  });

  test("any set of whole numbers keeps its order and its examples", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.maxSafeInteger(), { minLength: 1, maxLength: 8 }), (ids) => {
        fc.pre(!(ids.includes(-1) && ids.every((id) => id >= -1)));
        const data = of(ids);
        expect(data.classes).toEqual([...ids].sort((a, b) => a - b).map((id) => String(id)));
        expect(named(data).sort()).toEqual(ids.map(String).sort());
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  test("a class that one table alone has is a class in both", () => {
    const data = fromArrays([[1], [2]], [3, 7], { test: { x: [[3], [4]], y: [100, 7] } });
    expect([data.classes, [...data.train.labels], [...data.test.labels]]).toEqual([
      ["3", "7", "100"],
      [0, 1],
      [2, 1],
    ]);
  });
});

describe("labels that are 0 to n − 1 are what they were", () => {
  test("the checksum is that of before", () => {
    const labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    // as the version before gave it
    expect(of(labels).checksum).toBe("9435994fca24f612bd197812c9109b198dfe3c73eb97c8e1beb5ea3b9559c03a");
    expect(of(labels.map(String)).classes.slice(0, 4)).toEqual(["0", "1", "10", "11"]);
  });
});

describe("what cannot be a class is refused with a sentence", () => {
  const bad: [string, () => unknown, string][] = [
    ["−1 among labels from 0", () => of([0, -1, 1]), "got -1 at example 1, which often means that there is none"],
    ["a half", () => of([0, 0.5]), "got 0.5 at example 1; give { target"],
    ["NaN", () => of([0, Number.NaN]), "a class for each example is required, got NaN at example 1"],
    ["nothing", () => of([0, undefined as never]), "got undefined at example 1"],
    ["null", () => of(["a", null as never]), "got null at example 1"],
    ["numbers beside words", () => of([3, "cat"]), 'classes of one kind are required, got number and string ("cat")'],
    ["a number that is not exact", () => of([2 ** 53, 1]), "a whole number, a string or a boolean is required"],
    ["two classes of one name", () => of(["a", "b"], { classes: ["a", "b", "a"] }), 'got "a" twice'],
    [
      "a number that is a position and another's name",
      () => of([1, 2], { classes: ["1", "2", "3"] }),
      'got 1, which is the position of class "2" and the name of another; give names as strings: "1"',
    ],
    [
      "no example to spare",
      () => fromArrays([[1], [2]], [3, 7]),
      "a class with two examples is required to set some aside to test, got 2 examples of 2 classes",
    ],
  ];
  test.each(bad)("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  test("names that are numbers may be given as numbers", () => {
    expect(named(of([1, 2, 3], { classes: ["1", "2", "3"] })).sort()).toEqual(["1", "2", "3"]);
    expect(named(of([0, 1], { classes: ["1", "0"] })).sort()).toEqual(["0", "1"]);
  });
});

describe("ids in files", () => {
  const folder = mkdtempSync(join(tmpdir(), "labels-"));
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  test("a CSV's numbers ascend, and a row without a class is named", async () => {
    const rows = [1, 12, 2, 1, 12, 2].map((id, i) => `${i},${id}`);
    const data = await fromCsv(file("ids.csv", `x,kind\n${rows.join("\n")}\n`), { label: "kind" });
    expect(data.classes).toEqual(["1", "2", "12"]);
    await expect(fromCsv(file("hole.csv", "x,kind\n1,3\n2,\n"), { label: "kind" })).rejects.toThrow(
      "got null in column kind, row 1; leave out the rows that have none",
    );
  });

  test("NumPy's whole numbers of 64 bits, texts and truth values stay what they are", async () => {
    const x = file("x.npy", npyOf("<f4", [4, 1], [1, 2, 3, 4]));
    const classesOf = async (type: string, ids: (number | bigint | string)[]) =>
      (await fromNpy({ x, y: file("y.npy", npyOf(type, [4], ids)) }, { test: 0.5 })).classes;
    const [a, b] = [16_777_216n, 16_777_217n]; // one number in single precision
    expect(await classesOf("<i8", [a, b, a, b])).toEqual(["16777216", "16777217"]);
    expect(await classesOf("<U5", ["señor", "dog", "dog", "señor"])).toEqual(["dog", "señor"]);
    expect(await classesOf("|b1", [1, 0, 0, 1])).toEqual(["false", "true"]);
    const hot = file("hot.npy", npyOf("<i4", [4, 2], [0, 1, 1, 0, 1, 0, 0, 1]));
    await expect(fromNpy({ x, y: hot })).rejects.toThrow("got an array of shape (4, 2) in");
  });
});

describe("a study over classes 10 to 13", () => {
  const ids = [10, 11, 12, 13];
  const data = fromArrays(
    Array.from({ length: 40 }, (_, i) => [i % 4 === 0 ? 1 : 0, i % 4 === 1 ? 1 : 0, i % 4 === 2 ? 1 : 0]),
    Array.from({ length: 40 }, (_, i) => ids[i % 4]!),
  );

  test("has a column for each class and its name in every table", async () => {
    const stream = classes(data).split(2).scenario("class");
    expect([...stream].map((e) => e.classes.join())).toEqual(["0,1", "2,3"]);
    expect(
      experienceTable(stream)
        .rows()
        .map((row) => row.classes),
    ).toEqual(["10, 11", "12, 13"]);
    expect((streamTimeline(stream).data[0] as unknown as { y: string[] }).y).toEqual(["10", "11", "12", "13"]);
    const study = stream
      .learn(mlp({ hidden: [8] }))
      .with(adam({ lr: 0.05 }))
      .train({ batch: 8, epochs: 8 });
    const run = await study.run({ quiet: true, record: false });
    expect(run.tasks).toEqual(["10, 11", "12, 13"]);
    expect(run.matrix().values[0]![0]).toBe(1);
    const again = specFromJson(JSON.parse(JSON.stringify(study.toJSON())), [data]);
    expect([specHash(again), again.stream.classes]).toEqual([study.hash, data.classes]);
  });

  test("names its classes by number where a number can mean nothing else", () => {
    const stream = classes(data);
    const groups = (given: readonly (readonly (number | string)[])[]) =>
      [...stream.split(given)].map((e) => e.classes.map((column) => data.classes[column]));
    expect(
      groups([
        [13, 10],
        ["11", "12"],
      ]),
    ).toEqual([
      ["10", "13"],
      ["11", "12"],
    ]);
    expect(groups([[3], [0]])).toEqual([["13"], ["10"]]);
    expect(() => groups([[14]])).toThrow("split: one of 4 classes is required, got 14");
    expect(classes(data, { order: [13, 12, 11, 10] }).classes).toEqual(["13", "12", "11", "10"]);
    expect(stream.split(2).forget([12], { at: 1 }).experience(1).forget).toEqual([2]);
    const oneBased = classes(of([1, 2, 3, 4]));
    expect(() => oneBased.split([[1], [2]])).toThrow("give names as strings");
    expect(
      oneBased.split([
        [1, 2],
        [3, 4],
      ]).length,
    ).toBe(2);
  });

  test("digits in another order are still named by column", () => {
    const turned = classes(digits(), { order: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] });
    expect(
      operators
        .split([[0], [9]])(turned)
        .classesOf(0),
    ).toEqual([0]);
  });
});

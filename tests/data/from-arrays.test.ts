import { describe, expect, expectTypeOf, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { gather } from "../../lib/data/dataset.ts";
import { fromArrays } from "../../lib/data/from-arrays.ts";

const four = [
  [0, 1],
  [1, 0],
  [0, 2],
  [2, 0],
];

describe("fromArrays", () => {
  test("takes nested numbers and names of classes", () => {
    const data = fromArrays(four, ["up", "right", "up", "right"], { test: 0.5 });
    expect(data.classes).toEqual(["right", "up"]);
    expect([data.train.length, data.test.length]).toEqual([2, 2]);
    expect([...data.test.labels].sort()).toEqual([0, 1]);
    expect(data.kind).toBe("vector");
    const seen = [...gather(data.train, [0, 1]), ...gather(data.test, [0, 1])];
    expect(seen.sort()).toEqual([0, 0, 0, 0, 1, 1, 2, 2]);
  });

  test("takes flat bytes as images with a channel", () => {
    const data = fromArrays(new Uint8Array(40).fill(255), new Array(10).fill(0), { shape: [2, 2] });
    expect(data.shape).toEqual([2, 2, 1]);
    expect([...gather(data.train, [0])]).toEqual([1, 1, 1, 1]);
    expect([data.train.length, data.test.length]).toEqual([8, 2]);
  });

  test("takes its own test examples", () => {
    const data = fromArrays(four, [0, 1, 0, 2], { test: { x: [[5, 5]], y: [1] } });
    expect([data.train.length, data.test.length, data.classes.length]).toEqual([4, 1, 3]);
    expect([...gather(data.test, [0])]).toEqual([5, 5]);
  });

  test("draws the same test examples for the same seed, others for another", () => {
    const x = Array.from({ length: 100 }, (_, i) => [i]);
    const y = new Array<number>(100).fill(0);
    const drawn = (seed: number) => [...gather(fromArrays(x, y, { seed }).test, [...Array(20).keys()])];
    expect(drawn(1)).toEqual(drawn(1));
    expect(drawn(1)).not.toEqual(drawn(2));
  });

  const bad: [string, () => unknown, string][] = [
    ["more labels than examples", () => fromArrays(four, [0, 1]), "got 4 examples and 2 labels"],
    ["examples of mixed shape", () => fromArrays([[1, 2], [3]], [0, 1]), "got [1] beside [2] in example 1"],
    ["NaN", () => fromArrays([[1], [Number.NaN]], [0, 1]), "finite numbers are required, got NaN in example 1"],
    ["an infinite number", () => fromArrays([[1], [Infinity]], [0, 1]), "got Infinity in example 1"],
    ["a negative label", () => fromArrays(four, [0, 1, -1, 1]), "got -1 at example 2"],
    [
      "a label outside the classes",
      () => fromArrays(four, [0, 1, 2, 1], { classes: ["a", "b"] }),
      "got 2 at example 2",
    ],
    [
      "an unknown class name",
      () => fromArrays(four, ["a", "b", "c", "a"], { classes: ["a", "b"] }),
      "got c at example 2",
    ],
    ["half a label", () => fromArrays(four, [0, 0.5, 1, 1]), "got 0.5 at example 1"],
    ["no examples", () => fromArrays([], []), "at least one example is required, got none"],
    ["flat numbers without a shape", () => fromArrays(new Float32Array(4), [0, 1]), "give { shape }"],
    [
      "flat numbers that do not fit",
      () => fromArrays(new Float32Array(5), [0, 1], { shape: [2] }),
      "need 4 numbers, got 5",
    ],
    ["a test share of 1", () => fromArrays(four, [0, 0, 1, 1], { test: 1 }), "test must be a share in (0, 1), got 1"],
    [
      "an unknown option",
      () => fromArrays(four, [0, 0, 1, 1], { tset: 0.5 } as object),
      "fromArrays: no option tset; it has name, kind",
    ],
  ];
  test.each(bad)("refuses %s", (_, make, message) => {
    expect(make).toThrow(message);
  });
});

test("blobs have the mean of their class and the spread that was asked for", () => {
  const data = blobs({ classes: 2, dimensions: 1, perClass: 4000, spread: 0.3 });
  expectTypeOf(data).toEqualTypeOf<Dataset<"vector">>();
  const x = gather(data.train, [...data.train.labels.keys()]);
  const own = [...x].filter((_, i) => data.train.labels[i] === 1);
  const mean = own.reduce((a, b) => a + b, 0) / own.length;
  const spread = Math.sqrt(own.reduce((a, b) => a + (b - mean) ** 2, 0) / own.length);
  expect(Math.abs(mean)).toBeLessThan(1.02);
  expect(spread).toBeCloseTo(0.3, 1.7);
  const test = gather(data.test, [...data.test.labels.keys()]);
  const testMean = [...test].filter((_, i) => data.test.labels[i] === 1).reduce((a, b) => a + b, 0) / 50;
  expect(Math.abs(testMean - mean)).toBeLessThan(0.2); // 4 standard errors of 50 examples
});

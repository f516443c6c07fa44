import { expect, test } from "vitest";
import { associativeRecall } from "../../lib/data/associative-recall.ts";
import { copying } from "../../lib/data/copying.ts";
import { type Dataset, type Examples, gather, gatherTargets } from "../../lib/data/dataset.ts";
import { driftingSeries } from "../../lib/data/drifting-series.ts";
import { fractals } from "../../lib/data/fractals.ts";
import { fromSources } from "../../lib/data/from-sources.ts";
import { induction } from "../../lib/data/induction.ts";
import { itemSequences } from "../../lib/data/item-sequences.ts";
import { longMemory } from "../../lib/data/long-memory.ts";
import { modularArithmetic } from "../../lib/data/modular-arithmetic.ts";
import { moons } from "../../lib/data/moons.ts";
import { parity } from "../../lib/data/parity.ts";
import { spirals } from "../../lib/data/spirals.ts";

const all = (of: Examples) => gather(of, [...of.labels.keys()]);

test("every made data set is the same for the same seed, another for another, and names its making", () => {
  const makers: ((seed: number) => Dataset)[] = [
    (seed) => moons({ seed }),
    (seed) => spirals({ seed }),
    (seed) => associativeRecall({ seed, examples: 50, testExamples: 20 }),
    (seed) => copying({ seed, examples: 50, testExamples: 20 }),
    (seed) => parity({ seed, examples: 50, testExamples: 20 }),
    (seed) => induction({ seed, examples: 50, testExamples: 20 }),
    (seed) => longMemory({ seed, examples: 50, testExamples: 20 }),
    (seed) => modularArithmetic({ seed, modulus: 7 }),
    (seed) => fractals({ seed, classes: 2, perClass: 2, testPerClass: 1 }),
    (seed) => driftingSeries({ seed, moments: 200 }),
    (seed) => itemSequences({ seed, examples: 50, testExamples: 20 }),
  ];
  for (const make of makers) {
    expect(make(1).checksum).toBe(make(1).checksum);
    expect(make(1).checksum).not.toBe(make(2).checksum);
    expect(make(1).source).toContain('"seed":1');
  }
});

test("the moons lie on their half circles", () => {
  const { train } = moons({ noise: 0 });
  const x = all(train);
  train.labels.forEach((label, i) => {
    const [a, b] = [x[2 * i]! + 0.5, x[2 * i + 1]! + 0.25];
    const [fromX, fromY] = label === 0 ? [a, b] : [a - 1, b - 0.5];
    expect(Math.hypot(fromX, fromY)).toBeCloseTo(1, 5);
    expect(label === 0 ? fromY : -fromY).toBeGreaterThan(-1e-6);
  });
  const turned = all(moons({ noise: 0, degrees: 90 }).train);
  expect(turned[0]).toBeCloseTo(-x[1]!, 5);
  expect(turned[1]).toBeCloseTo(x[0]!, 5);
});

test("spirals turn with their radius", () => {
  const { train } = spirals({ classes: 2, noise: 0, turns: 0.5 });
  const x = all(train);
  train.labels.forEach((label, i) => {
    const [a, b] = [x[2 * i]!, x[2 * i + 1]!];
    const radius = Math.hypot(a, b);
    if (radius < 0.05) return;
    const angle = Math.atan2(b, a) / (2 * Math.PI) - label / 2 - 0.5 * radius;
    expect(Math.abs(angle - Math.round(angle))).toBeLessThan(1e-4);
  });
});

test("the answer of a recall is the value that came with the key", () => {
  const { train } = associativeRecall({ pairs: 5, keys: 9, values: 4, examples: 200 });
  const x = all(train);
  for (let i = 0; i < 200; i++) {
    const row = [...x.subarray(i * 11, i * 11 + 11)];
    const keys = row.slice(0, 10).filter((_, k) => k % 2 === 0);
    expect(new Set(keys).size).toBe(5);
    expect(row[2 * keys.indexOf(row[10]!) + 1]! - 9).toBe(train.labels[i]);
  }
});

test("sequences ask for what was said: a copy, an odd number of ones, what came after a sign, what came first", () => {
  const rows = (of: Examples, length: number): number[][] =>
    [...of.labels.keys()].map((i) => [...all(of).subarray(i * length, (i + 1) * length)]);
  const targets = (of: Examples, length: number): number[][] =>
    [...of.labels.keys()].map((i) => [...gatherTargets(of, [i])].slice(0, length));
  const copies = copying({ length: 3, symbols: 5, delay: 2, examples: 9 }).train;
  const next = targets(copies, 8);
  for (const [i, row] of rows(copies, 8).entries()) {
    expect(row.slice(3, 6)).toEqual([5, 5, 6]);
    expect(next[i]!.slice(5)).toEqual(row.slice(0, 3));
    expect(next[i]!.slice(0, 7)).toEqual(row.slice(1));
  }
  const bits = parity({ length: 7, examples: 9 }).train;
  const odd = targets(bits, 7);
  rows(bits, 7).forEach((row, i) => {
    expect(odd[i]).toEqual(row.map((_, t) => row.slice(0, t + 1).reduce((a, b) => a + b) % 2));
  });
  const signs = induction({ length: 6, symbols: 4, examples: 40 }).train;
  rows(signs, 6).forEach((row, i) => {
    expect(row.filter((token) => token === 4).length).toBe(2);
    expect(row[5]).toBe(4);
    expect(row[row.indexOf(4) + 1]).toBe(signs.labels[i]);
  });
  const long = longMemory({ length: 6, symbols: 4, examples: 40 }).train;
  rows(long, 6).forEach((row, i) => {
    expect(row[0]).toBe(long.labels[i]);
    expect(Math.min(...row.slice(1))).toBeGreaterThanOrEqual(4);
  });
});

test.each(["+", "-", "*", "/"] as const)("all sums with %s are there once, and right", (operation) => {
  const { train, test: held } = modularArithmetic({ modulus: 7, operation });
  const seen = new Set<string>();
  for (const part of [train, held])
    for (let i = 0; i < part.length; i++) {
      const [a, , b] = gather(part, [i]) as unknown as [number, number, number];
      const c = part.labels[i]!;
      seen.add(`${a},${b}`);
      if (operation === "/") expect((c * b) % 7).toBe(a);
      else expect(c).toBe((((operation === "+" ? a + b : operation === "-" ? a - b : a * b) % 7) + 7) % 7);
    }
  expect(seen.size).toBe(operation === "/" ? 42 : 49);
});

test("images of one fractal are more alike than images of two", () => {
  const { train } = fractals({ classes: 4, perClass: 6 });
  const x = all(train);
  const image = (i: number) => x.subarray(i * 1024, (i + 1) * 1024);
  const apart = (i: number, j: number) => image(i).reduce((sum, v, k) => sum + Math.abs(v - image(j)[k]!), 0);
  let [same, other, n, m] = [0, 0, 0, 0];
  for (let i = 0; i < train.length; i++)
    for (let j = 0; j < i; j++) {
      if (train.labels[i] === train.labels[j]) [same, n] = [same + apart(i, j), n + 1];
      else [other, m] = [other + apart(i, j), m + 1];
    }
  expect(same / n).toBeLessThan(0.9 * (other / m));
});

test("a series asks for the value after its window", () => {
  const { train, test: held } = driftingSeries({ moments: 300, window: 8 });
  const [x, y] = [all(train), gatherTargets(train, [...train.labels.keys()])];
  expect(x[8 + 7]).toBe(y[0]); // windows 0 and 1 begin at moments 0 and 1
  expect([train.length, held.length]).toEqual([234, 58]);
});

test("sessions mostly stay in a group, as loyal as they are asked to be", () => {
  const { train } = itemSequences({ items: 40, groups: 4, loyalty: 0.8, examples: 1000 });
  const x = all(train);
  let stays = 0;
  for (let i = 0; i < 1000; i++) for (let j = 1; j < 8; j++) if (x[i * 8 + j]! % 4 === x[i * 8 + j - 1]! % 4) stays++;
  const expected = 0.8 + 0.2 / 4; // who leaves may come back
  expect(Math.abs(stays / 7000 - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / 7000));
});

test("texts of sources begin with their names, which are not asked for, and the last of them do not", () => {
  const data = fromSources(
    { a: "abcabcabcabcabcabcabcabc", b: "xyxyxyxyxyxyxyxyxyxyxyxy" },
    { length: 4, cooldown: 0.5, test: 0.2 },
  );
  const shown = (of: Examples, i: number): string => [...gather(of, [i])].map((token) => data.classes[token]).join("");
  const asked = (i: number): string =>
    [...gatherTargets(data.train, [i])].map((token) => (token < 0 ? "_" : data.classes[token])).join("");
  // 19 characters of each to train on: 10 with names, two in an example, then 9 without
  expect(Array.from({ length: 12 }, (_, i) => shown(data.train, i))).toEqual(
    ["a\nab", "b\nxy", "a\nca", "b\nxy", "a\nbc", "b\nxy", "a\nab", "b\nxy", "bcab", "xyxy", "cabc", "xyxy"].map(
      (text) => text,
    ),
  );
  expect(asked(0)).toBe("_abc");
  expect(asked(8)).toBe("cabc");
  expect(shown(data.test, 0)).not.toContain("\n");
  expect(() => fromSources({ long: "abcabcabcabc" }, { length: 8 })).toThrow(
    "names of fewer than half of the 8 characters",
  );
  expect(() => fromSources({}, {})).toThrow("at least one text is required, got none");
});

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Examples,
  gather,
  gatherTargets,
  joined,
  makeDataset,
  mapped,
  relabelled,
  select,
  table,
  targetTable,
} from "../../lib/data/dataset.ts";

const bytes = (n: number, base = 0) =>
  table(
    Uint8Array.from({ length: n * 3 }, (_, i) => (base + i) % 256),
    Int32Array.from({ length: n }, (_, i) => i % 4),
    [3],
    1 / 255,
    targetTable(
      Float32Array.from({ length: n * 2 }, (_, i) => base + i),
      2,
    ),
  );

/** What a table holds, row by row, read one at a time. */
function rows(of: Examples): number[][] {
  return Array.from({ length: of.length }, (_, i) => {
    const raw = of.bytes ? new Uint8Array(3) : new Float32Array(3);
    of.read([i], raw);
    return [...raw, of.labels[i]!, ...(of.targets ? gatherTargets(of, [i]) : [])];
  });
}

test("views of views of joined tables hold the rows that picking them from lists gives", () => {
  const picks = fc.array(fc.nat(1000), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), picks, picks, (n, m, first, second) => {
      const [a, b] = [bytes(n), bytes(m, 100)];
      let list = [...rows(a), ...rows(b)];
      let view = joined([a, b]);
      expect(rows(view)).toEqual(list);
      for (const pick of [first, second]) {
        const at = pick.map((p) => p % list.length);
        list = at.map((i) => list[i]!);
        view = select(view, Uint32Array.from(at));
        expect(rows(view)).toEqual(list);
        const twice = joined([view, view]);
        expect(rows(twice)).toEqual([...list, ...list]);
      }
      const at = list.map((_, i) => list.length - 1 - i);
      const batch = gather(view, at);
      at.forEach((i, j) => {
        for (let k = 0; k < 3; k++) expect(batch[j * 3 + k]).toBe(Math.fround(list[i]![k]! * (1 / 255)));
      });
    }),
    { numRuns: 50 },
  );
});

test("a batch is the same whether rows lie in memory, in a view, in parts or behind a function", () => {
  const of = bytes(8);
  const at = [5, 0, 3, 3];
  const same = gather(of, at);
  const all = Uint32Array.from(of.labels.keys());
  expect(gather(select(of, all), at)).toEqual(same);
  expect(gather(joined([select(of, all.slice(0, 4)), mapped(of, (row, out) => out.set(row))]), [9, 0, 3, 3])).toEqual(
    same,
  );
  expect(gather(relabelled(of, new Int32Array(8)), at)).toEqual(same);
  const into = new Float32Array(20).fill(7);
  expect(gather(of, at, into).subarray(0, 12)).toEqual(same);
  expect([...into.subarray(12)]).toEqual(new Array(8).fill(7));
});

test("a mapped table tells the function which example it is", () => {
  const seen: number[] = [];
  gather(
    mapped(bytes(5), (_, __, at) => seen.push(at)),
    [4, 1],
  );
  expect(seen).toEqual([4, 1]);
});

test("relabelled views keep their rows and targets, and views of them their labels", () => {
  const view = select(
    relabelled(select(bytes(6), Uint32Array.of(5, 4, 3)), Int32Array.of(7, 8, 9)),
    Uint32Array.of(2, 0),
  );
  expect(rows(view)).toEqual([
    [9, 10, 11, 9, 6, 7],
    [15, 16, 17, 7, 10, 11],
  ]);
});

test("wrong lengths and shapes are refused with both numbers", () => {
  expect(() => table(new Uint8Array(7), new Int32Array(2), [3], 1)).toThrow(
    "table: 2 labels and examples of shape [3] need 6 numbers, got 7",
  );
  expect(() => select(bytes(3), Uint32Array.of(3))).toThrow("select: an example from 0 to 2 is required, got 3");
  expect(() => joined([bytes(2), table(new Float32Array(6), new Int32Array(2), [3], 1)])).toThrow(
    "joined: tables of one shape and type are required, got bytes of shape [3] × 0.00392156862745098 and floats of shape [3] × 1",
  );
  expect(() => gatherTargets(table(new Float32Array(2), new Int32Array(2), [1], 1), [0])).toThrow(
    "examples with targets are required",
  );
});

test("a data set's checksum is that of its numbers, labels and names, and of nothing else", () => {
  const make = (x: number, label: number, name = "a") =>
    makeDataset({
      name,
      kind: "vector",
      classes: ["p", "q"],
      train: table(Float32Array.of(x, 2), Int32Array.of(label, 1), [1], 1),
      test: table(Float32Array.of(3), Int32Array.of(0), [1], 1),
      source: "here",
    });
  expect(make(1, 0).checksum).toBe(make(1, 0, "b").checksum);
  expect(make(1, 0).checksum).not.toBe(make(1.5, 0).checksum);
  expect(make(1, 0).checksum).not.toBe(make(1, 1).checksum);
  expect(() => make(1, 2)).toThrow("a: labels from 0 to 1 are required, got 2 at example 0");
});

test("large batches of bytes, which take another way, have the same numbers to the last bit", () => {
  for (const [size, scale] of [
    [784, 1 / 255],
    [64, 1 / 16],
    [37, 1 / 255],
    [50, 0.3],
    [101, 1],
  ] as const) {
    const n = 200;
    const x = Uint8Array.from({ length: n * size }, (_, i) => (i * 31 + (i >> 8)) & 255);
    const of = table(x, new Int32Array(n), [size], scale);
    const at = Array.from({ length: 190 }, (_, i) => (i * 7) % n);
    for (const view of [of, mapped(of, (row, out) => out.set(row))]) {
      const batch = gather(view, at);
      at.forEach((row, i) => {
        for (let j = 0; j < size; j++)
          if (batch[i * size + j] !== Math.fround(x[row * size + j]! * scale))
            expect(`${scale}: ${batch[i * size + j]}`).toBe(`${scale}: ${Math.fround(x[row * size + j]! * scale)}`);
      });
    }
  }
});

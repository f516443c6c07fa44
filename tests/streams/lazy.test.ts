import { expect, test } from "vitest";
import { type Dataset, type Examples, gather, makeDataset } from "../../lib/data/dataset.ts";
import { online } from "../../lib/streams/operators/online.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { permuted } from "../../lib/streams/sources/permuted.ts";

/** 60,000 images that count how often they are read; none is kept in memory. */
function counted(): { data: Dataset<"image">; reads: () => number } {
  let reads = 0;
  const examples = (length: number): Examples => ({
    length,
    shape: [28, 28, 1],
    scale: 1 / 255,
    bytes: true,
    labels: Int32Array.from({ length }, (_, i) => i % 10),
    read(at, out, offset = 0) {
      reads += at.length;
      for (let i = 0; i < at.length; i++) out.fill(at[i]! & 255, offset + i * 784, offset + (i + 1) * 784);
    },
  });
  const data = makeDataset({
    name: "counted",
    kind: "image",
    classes: [..."0123456789"],
    train: examples(60_000),
    test: examples(10_000),
    source: "made here",
  });
  return { data, reads: () => reads };
}

test("making a stream, and its experiences, reads no example", () => {
  const { data, reads } = counted();
  for (const stream of [
    scenario("task")(permuted(data, 1000)),
    split(5)(classes(data)),
    online()(permuted(data, 20)),
  ]) {
    expect(stream.experience(stream.length - 1).train.length).toBeGreaterThan(0);
    expect(stream.test(stream.tasks - 1).examples.length).toBeGreaterThan(0);
  }
  expect(reads()).toBe(0);
  gather(permuted(data, 3).experience(2).train, [5, 6, 7]);
  expect(reads()).toBe(3);
});

test("the first of 1,000 experiences over 60,000 images is there within 50 ms", () => {
  const { data } = counted();
  const times = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    scenario("task")(permuted(data, 1000)).experience(0);
    return performance.now() - begun;
  });
  expect(Math.min(...times)).toBeLessThan(50);
});

test("1,000 experiences, one after the other, take no more memory than ten", () => {
  const { data } = counted();
  const stream = scenario("task")(permuted(data, 1000));
  const arrays = () => process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 10; i++) stream.experience(i);
  const most = { few: arrays(), many: 0 };
  for (let i = 0; i < 1000; i++) {
    stream.experience(i);
    if (i % 100 === 99) {
      globalThis.gc?.();
      most.many = Math.max(most.many, arrays());
    }
  }
  // an experience's labels are 280 kB: a thousand of them kept would be 280 MB
  expect(most.many - most.few).toBeLessThan(140e6);
});

test("what an experience costs does not grow with how many there are", () => {
  const { data } = counted();
  const cost = (tasks: number): number => {
    const stream = permuted(data, tasks);
    const times = Array.from({ length: 15 }, (_, i) => {
      const begun = performance.now();
      for (let k = 0; k < 20; k++) stream.experience(Math.floor(((i * 20 + k) * tasks) / 300));
      return performance.now() - begun;
    });
    return Math.min(...times);
  };
  cost(10);
  expect(cost(10_000)).toBeLessThan(8 * cost(10) + 2);
});

import { expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { fromArrays } from "../../lib/data/from-arrays.ts";
import { streamDrift } from "../../lib/plots/stream-drift.ts";
import { streamSamples } from "../../lib/plots/stream-samples.ts";
import { streamTable } from "../../lib/plots/stream-table.ts";
import { streamTimeline } from "../../lib/plots/stream-timeline.ts";
import { audit, summarise } from "../../lib/streams/audit.ts";
import { repeat } from "../../lib/streams/operators/repeat.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { unlabel } from "../../lib/streams/operators/unlabel.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { edits } from "../../lib/streams/sources/edits.ts";
import { permuted } from "../../lib/streams/sources/permuted.ts";
import { regression } from "../../lib/streams/sources/regression.ts";
import type { Stream } from "../../lib/streams/stream.ts";

const leaking = () =>
  fromArrays(
    Array.from({ length: 12 }, (_, i) => [i % 10, 1]),
    Array.from({ length: 12 }, (_, i) => i % 2),
    {
      test: {
        x: [
          [3, 1],
          [77, 1],
        ],
        y: [1, 0],
      },
    },
  );

test("a clean stream has nothing to be warned of, however often it is repeated", () => {
  expect(audit(split(5)(classes(digits())))).toEqual([]);
  expect(audit(repeat(2)(split(5)(classes(digits()))))).toEqual([]);
});

test("test examples that are trained on, and examples that come twice, are found", () => {
  expect(audit(classes(leaking()))).toEqual([
    "experience 0 holds 2 of its 12 training examples more than once",
    "1 of 2 test examples of task 0 are trained on, first in experience 0",
  ]);
  expect(streamTimeline(classes(leaking())).layout.title?.subtitle?.text).toContain("⚠ experience 0 holds 2");
});

test("a class that is tested and never seen is named", () => {
  const data = fromArrays([[1], [2], [3]], ["a", "b", "a"], { test: { x: [[4], [5]], y: ["a", "c"] } });
  expect(audit(classes(data))).toEqual(["tested but never seen: c"]);
});

test("a summary counts classes, and samples a long stream at even distances", () => {
  const [first] = summarise(unlabel(0.5)(split(5)(classes(digits()))));
  expect(first?.counts.get(-1)).toBe(72 + 73);
  expect(summarise(permuted(digits(), 100), 4).map((e) => e.experience)).toEqual([0, 25, 50, 75]);
  expect(summarise(permuted(digits(), Infinity), 3).map((e) => e.experience)).toEqual([0, 1, 2]);
});

test("every picture of a stream that leaks says so", () => {
  const images = digits();
  const leaks = { ...images, test: images.train };
  const pictures = [streamTimeline, streamSamples, streamTable, streamDrift];
  for (const picture of pictures) {
    expect(picture(split(5)(classes(leaks)) as Stream).toText()).toMatch(
      /⚠ 289 of 289 test examples of task 0 are trained on/,
    );
    expect(picture(split(5)(classes(images)) as Stream).toText()).not.toContain("⚠");
  }
});

test("facts are tested as they were taught, and where there are few inputs they come again: neither is warned of", () => {
  const taught = edits(4, { batch: 3 });
  expect(audit(taught)).toEqual([]);
  expect(audit(repeat(2)(taught) as Stream)).toEqual([]);
  expect(audit(regression({ examples: 200, experiences: 3 }))).toEqual([]);
});

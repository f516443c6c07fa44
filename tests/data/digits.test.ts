import { expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";

test("the digits are 1,797 images of 8×8, the first 1,437 to train", () => {
  const data = digits();
  expect([data.train.length, data.test.length]).toEqual([1437, 360]);
  expect(data.shape).toEqual([8, 8, 1]);
  expect(data.kind).toBe("image");
});

test("the first digit is the zero of the UCI file, divided by 16 in a batch", () => {
  const { train } = digits();
  const raw = new Uint8Array(64);
  train.read([0], raw);
  expect([...raw.subarray(0, 8)]).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
  expect(train.labels[0]).toBe(0);
  expect(gather(train, [0])[3]).toBe(13 / 16);
});

test("the class counts are those of the UCI file", () => {
  const { train, test } = digits();
  const all = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (const label of [...train.labels, ...test.labels]) all[label]!++;
  expect(all).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]); // optdigits.names, "testing"
});

test("the whole set has the mean pixel that other tools report", () => {
  const { train, test } = digits();
  let sum = 0;
  for (const of of [train, test]) {
    const raw = new Uint8Array(of.length * 64);
    of.read([...of.labels.keys()], raw);
    for (const v of raw) sum += v;
  }
  expect(sum / (1797 * 64)).toBeCloseTo(4.884164579855314, 12); // sklearn.datasets.load_digits().data.mean()
});

/** X-DER's terms and its rewriting of the past, against plain numbers. */
import { describe, expect, test } from "vitest";
import { decode, tf } from "../../lib/engine/index.ts";
import { agesOf, implanted } from "../../lib/strategies/parts/prepared.ts";
import { xder } from "../../lib/strategies/replay/xder.ts";
import type { Step } from "../../lib/strategies/strategy.ts";
import { open } from "../../lib/train/session.ts";
import { stepOf } from "./linear.ts";
import { advance, spec, stream } from "./support.ts";

/** Logits are the examples themselves: a network of the identity, so that a term is a function of six numbers per row. */
const identity = {
  kernel: Array.from({ length: 6 }, (_, i) => Array.from({ length: 6 }, (_, j) => +(i === j))),
  bias: Array(6).fill(0),
};
// Columns 0 and 1 are past, 2 and 3 present, 4 and 5 to come.
const ages = agesOf([2, 3], {
  columns: 6,
  experience: 1,
  stream: { taskOf: (e: number) => e, classesOf: (t: number) => [2 * t, 2 * t + 1] },
} as never);
const batch = [
  [1.2, 0.1, 0.4, -0.2, 0.9, -1],
  [-0.5, 0.3, 2, 0.1, 0.2, 0.4],
];
const remembered = [
  [0.7, -0.4, 0.2, 0.5, 0.6, 0.1],
  [0.1, 0.9, -0.3, 0.2, 1.4, 0.3],
];
const again = [[0.3, 0.8, 0.5, -0.6, 0.2, 0.7], remembered[0]!];
const kept = [
  [0.5, -0.1, 0.4, 0.3, 0, 0.2],
  [0.2, 1.1, 0, 0.3, 0.5, -0.4],
  [0.1, 0.6, 0.2, 0.2, 0.3, 0.4],
];
const y = [2, 3, 0, 1, 1, 0];
const off = { alpha: 0, beta: 0, lambda: 0, eta: 0 };

function termOf(options: Partial<typeof off> & { gamma?: number; margin?: number; temperature?: number }): number {
  const rows = [...batch, ...remembered, ...again];
  const step = stepOf(identity, rows, y, 0.1, {
    current: 2,
    rows: { "xder logits": [2, 4], "xder labels": [4, 6] } as Step["rows"],
    extra: {
      drawn: tf.tensor1d([0, 1], "int32"),
      both: tf.tensor1d([0, 1, 2, 0], "int32"),
      renewing: tf.tensor1d([0, 3, 2, 3], "int32"),
      own: tf.tensor2d([0, 0, 0, 0].map(() => [1, 1, 0, 0, 0, 0])),
    },
  });
  const state = { tensors: ages, carried: { values: tf.tensor2d(kept) } };
  return xder({ ...off, capacity: 3, ...options }).hooks.loss!(state as never, step).dataSync()[0]!;
}

const softmax = (z: readonly number[]): number[] => {
  const powers = z.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
};

describe("the loss of X-DER", () => {
  test("holds drawn examples to their logits: the mean over rows and columns of the squared difference", () => {
    const squares = remembered.flatMap((row, n) => row.map((z, c) => (z - kept[n]![c]!) ** 2));
    expect(termOf({ alpha: 0.7 })).toBeCloseTo((0.7 * squares.reduce((a, b) => a + b, 0)) / 12, 5);
  });

  test("learns the labels of a second draw among the columns of the past", () => {
    const losses = again.map((row, n) => -Math.log(softmax(row.slice(0, 2))[y[4 + n]!]!));
    expect(termOf({ beta: 0.5 })).toBeCloseTo(0.5 * ((losses[0]! + losses[1]!) / 2), 5);
  });

  test("bounds past columns by the present ones and future columns by an example's own, over the rows that need it", () => {
    const margin = 0.3;
    const past = batch.map((row) => {
      const p = softmax(row.slice(0, 4));
      return Math.max(p[0]!, p[1]!) + margin - Math.max(p[2]!, p[3]!);
    });
    const future = [
      ...batch.map((row) => Math.max(row[4]!, row[5]!) + margin - Math.max(row[2]!, row[3]!)),
      ...[...remembered, ...again].map((row) => Math.max(row[4]!, row[5]!) + margin - Math.max(row[0]!, row[1]!)),
    ];
    const mean = (excess: number[]): number => {
      const over = excess.filter((e) => e > 0);
      return over.reduce((a, b) => a + b, 0) / over.length;
    };
    expect(past.filter((e) => e > 0).length).toBeLessThan(past.length);
    expect(future.filter((e) => e > 0).length).toBeLessThan(future.length);
    expect(termOf({ eta: 0.2, margin })).toBeCloseTo(0.2 * (mean(past) + mean(future)), 5);
  });

  test("brings a class together in the columns to come: supervised contrast of the pairs of logits as unit vectors", () => {
    const units = [...batch, ...remembered, ...again].map(([, , , , a, b]) => [
      a! / Math.hypot(a!, b!),
      b! / Math.hypot(a!, b!),
    ]);
    const near = (i: number, j: number): number =>
      (units[i]![0]! * units[j]![0]! + units[i]![1]! * units[j]![1]!) / 0.5;
    const losses = y.flatMap((label, i) => {
      const like = y.flatMap((other, j) => (j !== i && other === label ? [j] : []));
      if (like.length === 0) return [];
      const all = y.reduce((sum, _, j) => (j === i ? sum : sum + Math.exp(near(i, j))), 0);
      return [like.reduce((sum, j) => sum + Math.log(all) - near(i, j), 0) / like.length];
    });
    expect(losses).toHaveLength(4); // the two examples of the batch have no like
    expect(termOf({ lambda: 0.6, temperature: 0.5 })).toBeCloseTo((0.6 * losses.reduce((a, b) => a + b, 0)) / 4, 4);
  });
});

describe("the past is rewritten", () => {
  test("newer columns are shrunk below the label's logit, older ones stay", () => {
    const old = tf.tensor2d([
      [2, 0.5, 9, 9],
      [2, 0.5, 9, 9],
      [-1, 0.5, 9, 9],
      [2, 0.5, 9, 9],
    ]);
    const newer = tf.tensor2d([
      [7, 7, 4, 1],
      [7, 7, 1, 0.5],
      [7, 7, 4, 1],
      [7, 7, -3, -1],
    ]);
    const labels = tf.tensor2d(Array(4).fill([1, 0, 0, 0]));
    const got = implanted(old, newer, tf.tensor2d([[0, 0, 1, 1]]), labels, 0.8).arraySync() as number[][];
    const wanted = [
      [2, 0.5, 1.6, 0.4], // 4 becomes 0.8 · 2, and 1 shrinks with it
      [2, 0.5, 1, 0.5], // nothing is above 1.6
      [-1, 0.5, 0, 0], // the label's own logit is below 0
      [2, 0.5, -3, -1], // nothing is above 0
    ];
    got.flat().forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.flat()[i]!, 5);
    });
  });

  test("a step rewrites the drawn examples that are due and no others", () => {
    const step = stepOf(identity, [...batch, ...remembered, ...again], y, 0.1, {
      current: 2,
      rows: { "xder logits": [2, 4], "xder labels": [4, 6] } as Step["rows"],
      extra: { both: tf.tensor1d([0, 1, 2, 0], "int32"), renewing: tf.tensor1d([0, 3, 2, 3], "int32") },
    });
    const state = { tensors: ages, carried: { values: tf.tensor2d(kept) } };
    const next = xder({ capacity: 3, gamma: 0.9 }).hooks.update!(state as never, {} as never, step) as {
      values: tf.Tensor2D;
    };
    const rows = next.values.arraySync();
    const shrink = (old: number, top: number): number => Math.min(1, (0.9 * old) / top);
    const wanted = [
      [...kept[0]!.slice(0, 2), ...remembered[0]!.slice(2).map((z) => z * shrink(kept[0]![0]!, 0.6))],
      kept[1]!,
      [...kept[2]!.slice(0, 2), ...again[0]!.slice(2).map((z) => z * shrink(kept[2]![1]!, 0.7))],
    ];
    rows.flat().forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.flat()[i]!, 5);
    });
  });

  test("the memory is balanced over the classes met and holds nothing of the experience under way", () => {
    const session = open(spec(stream(xder as never), [xder({ capacity: 12, draw: 4 })]), 0, "test");
    advance(session, 8);
    const held: string[] = [];
    while (session.advance()) {
      if (session.cursor.phase !== "before") continue;
      const { states } = decoded(session.save());
      const { labels, size } = states.xder.buffer;
      held.push([...labels.subarray(0, size)].sort().join(""));
    }
    session.dispose();
    expect(held.slice(0, 2)).toEqual(["000000111111", "000111222333"]);
  });
});

function decoded(bytes: Uint8Array): { states: { xder: { buffer: { labels: Int32Array; size: number } } } } {
  return decode(bytes) as never;
}

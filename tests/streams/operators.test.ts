import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { digits } from "../../lib/data/digits.ts";
import { type Examples, fromArrays, gather, gatherTargets } from "../../lib/data/index.ts";
import * as o from "../../lib/streams/operators/index.ts";
import { classes, permuted, rotated } from "../../lib/streams/sources/index.ts";
import type { Stream } from "../../lib/streams/stream.ts";

const split5 = () => o.split(5)(classes(digits()));
/** Every row of a table as a string, so that tables can be compared as bags. */
const rows = (of: Examples) => Array.from({ length: of.length }, (_, i) => `${of.labels[i]}:${gather(of, [i]).join()}`);
const trained = (stream: Stream) => [...stream].flatMap((e) => rows(e.train));
const sortedRows = (stream: Stream) => trained(stream).sort();

describe("online", () => {
  test("shows every example once, in small experiences of the same task", () => {
    const stream = o.online({ batch: 50 })(split5());
    expect(stream.length).toBe([289, 288, 289, 287, 284].reduce((n, c) => n + Math.ceil(c / 50), 0));
    expect(sortedRows(stream)).toEqual(sortedRows(split5()));
    expect([...stream].every((e, i) => e.index === i && e.train.length === stream.countOf(i))).toBe(true);
    expect([stream.tasks, stream.taskOf(6), stream.experience(29).task]).toEqual([5, 1, 4]);
    expect(stream.facts).toEqual(["labels", "length"]);
    expect(rows(stream.experience(0).train)).not.toEqual(rows(split5().experience(0).train).slice(0, 50));
  });

  test("keeps the order when it is asked to, and asked out of turn gives the same", () => {
    const stream = o.online({ batch: 100, shuffle: false })(split5());
    const whole = rows(split5().experience(1).train);
    expect(rows(stream.experience(4).train)).toEqual(whole.slice(100, 200));
    expect(rows(stream.experience(3).train)).toEqual(whole.slice(0, 100));
  });

  test("goes on for ever on a stream that does", () => {
    const stream = o.online({ batch: 1000 })(permuted(digits(), Infinity));
    expect([stream.length, stream.taskOf(7), stream.experience(7).train.length]).toEqual([Infinity, 3, 437]);
  });
});

describe("repeat, shuffleTasks, concat and interleave", () => {
  test("repeat brings every task back as the same column", () => {
    const stream = o.repeat(3)(split5());
    expect([stream.length, stream.tasks]).toEqual([15, 5]);
    expect(stream.experience(7).task).toBe(2);
    expect(rows(stream.experience(7).train)).toEqual(rows(split5().experience(2).train));
    expect(o.repeat(Infinity)(split5()).experience(1_000_003).task).toBe(3);
  });

  test("shuffleTasks keeps the experiences and changes their order", () => {
    const stream = o.shuffleTasks(1)(split5());
    expect([...stream].map((e) => e.classes.join()).sort()).toEqual([...split5()].map((e) => e.classes.join()).sort());
    expect([...stream].map((e) => e.task)).toEqual([0, 1, 2, 3, 4]);
    expect([...stream.test(0).classes]).toEqual([...stream.experience(0).classes]);
  });

  test("concat numbers tasks of the second after the first, and shares columns of the same names", () => {
    const stream = o.concat(rotated(digits(), [0, 90]))(permuted(digits(), 3));
    expect([stream.length, stream.tasks, stream.classes.length]).toEqual([5, 5, 10]);
    expect(rows(stream.experience(3).train)).toEqual(rows(digits().train));
    expect(stream.experience(4).task).toBe(4);
    expect(JSON.stringify(stream)).toContain('{"stream":{"name":"rotated"');
  });

  test("concat gives other classes columns of their own", () => {
    const letters = fromArrays(
      Array.from({ length: 20 }, (_, i) => [i, 0]),
      Array.from({ length: 20 }, (_, i) => "ab"[i % 2]!),
    );
    const stream = o.concat(classes(letters))(classes(blobs({ classes: 3 })) as Stream);
    expect(stream.classes).toEqual(["0", "1", "2", "a", "b"]);
    expect([...stream.experience(1).classes]).toEqual([3, 4]);
    expect([...new Set(stream.test(1).examples.labels)].sort()).toEqual([3, 4]);
    expect(() => o.concat(classes(letters))(classes(digits()) as Stream)).toThrow(
      "two streams of one kind are required, got image and vector",
    );
  });

  test("interleave plays in turn, and the rest of the longer at the end", () => {
    const stream = o.interleave(rotated(digits(), [0]))(permuted(digits(), 3));
    expect([...stream].map((e) => e.task)).toEqual([0, 3, 1, 2]);
    expect(rows(stream.experience(1).train)).toEqual(rows(digits().train));
    const endless = o.interleave(permuted(digits(), Infinity, { seed: 1 }))(permuted(digits(), Infinity));
    expect([endless.taskOf(9), endless.tasks]).toEqual([9, Infinity]);
    expect(() => o.interleave(permuted(digits(), Infinity))(permuted(digits(), 2))).toThrow("slice the endless one");
  });
});

describe("labels", () => {
  test("labelNoise flips the share it is asked to, to other classes of the experience", () => {
    const clean = classes(digits()).experience(0).train;
    const noisy = o.labelNoise(0.3)(classes(digits())).experience(0).train;
    const flipped = [...clean.labels].filter((label, i) => label !== noisy.labels[i]).length;
    expect(Math.abs(flipped / 1437 - 0.3)).toBeLessThan(0.05); // 4 standard errors
    expect(gather(noisy, [5])).toEqual(gather(clean, [5]));
    const two = o.labelNoise(1, { kind: "pair" })(split5()).experience(1).train;
    expect([...two.labels]).toEqual([...split5().experience(1).train.labels].map((l) => 5 - l));
    expect([...o.labelNoise(0.5)(split5()).test(0).examples.labels]).toEqual([...split5().test(0).examples.labels]);
  });

  test("unlabel takes its share of every class", () => {
    const { labels } = o.unlabel(0.9)(split5()).experience(0).train;
    const left = (c: number) => [...labels].filter((l) => l === c).length;
    expect([left(0), left(1), left(-1)]).toEqual([143 - 129, 146 - 131, 260]);
  });

  test("withhold takes facts, and labels with them", () => {
    const bare = o.withhold("labels")(split5());
    expect(new Set(bare.experience(0).train.labels)).toEqual(new Set([-1]));
    expect(bare.facts).toEqual(["boundary", "length"]);
    expect(new Set(bare.experience(0).test.labels)).toEqual(new Set([0, 1]));
    expect(() => o.withhold("task")(o.scenario("task")(split5()))).toThrow(
      "a stream whose head is not multi is required",
    );
  });

  test("delayed labels arrive later, all of them", () => {
    const stream = o.delayLabels(2)(split5());
    expect([...stream].map((e) => e.train.length)).toEqual([289, 288, 578, 575, 573, 287, 284]);
    expect([...stream].map((e, i) => e.train.length === stream.countOf(i))).not.toContain(false);
    const seen = trained(stream);
    expect(seen.filter((row) => !row.startsWith("-1:")).sort()).toEqual(sortedRows(split5()));
    expect(seen.filter((row) => row.startsWith("-1:"))).toHaveLength(1437);
    expect(stream.experience(2).classes).toEqual([0, 1, 4, 5]);
  });

  test("an oracle answers until its budget is spent, and once for free", () => {
    const { oracle, train } = o.active(3)(split5()).experience(1);
    expect(new Set(train.labels)).toEqual(new Set([-1]));
    const truth = split5().experience(1).train.labels;
    expect([...oracle!.ask([4, 5])]).toEqual([truth[4], truth[5]]);
    expect(oracle!.left).toBe(1);
    expect([...oracle!.ask([5, 4, 4])]).toEqual([truth[5], truth[4], truth[4]]);
    expect(oracle!.left).toBe(1);
    expect(() => oracle!.ask([6, 7])).toThrow("active: at most 1 more labels can be asked for, got 2");
  });

  test("a multi-label example is the brighter of its two digits, with both in its targets", () => {
    const stream = o.multiLabel({ labels: 2 })(classes(digits()));
    const { train } = stream.experience(0);
    const plain = digits().train;
    const targets = gatherTargets(train, [0, 1, 2, 3, 4, 5, 6, 7]);
    for (let i = 0; i < 8; i++) {
      const present = [...targets.subarray(i * 10, i * 10 + 10).entries()].filter(([, v]) => v === 1).map(([c]) => c);
      expect(present).toContain(train.labels[i]);
      expect(present.length).toBeLessThanOrEqual(2);
      const [mixed, own] = [gather(train, [i]), gather(plain, [i])];
      expect(mixed.every((v, j) => v >= own[j]!)).toBe(true);
    }
    expect(stream.target).toBe("labels");
    expect(gatherTargets(o.split(5)(stream).experience(2).train, [0]).length).toBe(10);
  });

  test("splitLabels brings an example wherever it has a class, and tells no other class of it but in the test", () => {
    const whole = o.multiLabel({ labels: 3 })(o.limit({ train: 6, test: 4, perClass: true })(classes(digits())));
    const of = (table: Examples): number[][] =>
      Array.from({ length: table.length }, (_, i) => [...gatherTargets(table, [i])]);
    const stream = o.splitLabels([4, 6])(whole);
    const [all, tested] = [of(whole.experience(0).train), of(whole.test(0).examples)];
    for (const [index, classes] of [
      [0, [0, 1, 2, 3]],
      [1, [4, 5, 6, 7, 8, 9]],
    ] as const) {
      const { train, classes: own } = stream.experience(index);
      expect(own).toEqual(classes);
      const has = (row: number[]): boolean => classes.some((column) => row[column] === 1);
      const told = all.filter(has).map((row) => row.map((v, column) => (own.includes(column) ? v : 0)));
      expect(of(train)).toEqual(told);
      expect([...train.labels]).toEqual(told.map((row) => row.indexOf(1)));
      expect(of(stream.test(index).examples)).toEqual(tested.filter(has));
    }
    expect(() => o.splitLabels(5)(classes(digits()))).toThrow("splitLabels: ");
  });
});

describe("forget and budget", () => {
  test("a forgotten class comes no more, and stays in what is evaluated", () => {
    const stream = o.forget(["0", 3], { at: 2 })(o.repeat(2)(o.split(2)(classes(digits()))));
    expect(stream.experience(0).train.length).toBe(143 + 146 + 142 + 146 + 144);
    expect(stream.experience(2).forget).toEqual([0, 3]);
    expect([...new Set(stream.experience(2).train.labels)].sort()).toEqual([1, 2, 4]);
    expect(stream.experience(3).forget).toBeUndefined();
    expect([...new Set(stream.test(0).examples.labels)].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(() => o.forget(["ten"], { at: 0 })(split5())).toThrow("one of 10 classes is required, got ten");
  });

  test("budgets add up and are carried on", () => {
    const stream = o.split(5)(o.budget({ memoryBytes: 1e6 })(o.budget({ steps: 10 })(classes(digits()))));
    expect(stream.budget).toEqual({ steps: 10, memoryBytes: 1e6 });
    expect(() => o.budget({ steps: 0 })).toThrow("budget: steps must be a number above 0, got 0");
    expect(() => o.budget({ steps: 0.5 })).toThrow("budget: steps must be a whole number of at least 1, got 0.5");
    expect(() => o.budget({ step: 1 } as object)).toThrow("budget: no option step; it has steps, flops, memoryBytes");
  });
});

describe("order by likeness", () => {
  test("goes to the nearest mean, or the farthest, from the first class", () => {
    const means = [0, 10, 1, 7];
    const data = fromArrays(
      Array.from({ length: 40 }, (_, i) => [means[i % 4]!]),
      Array.from({ length: 40 }, (_, i) => i % 4),
    );
    expect(o.order("similar")(classes(data)).classes).toEqual(["0", "2", "3", "1"]);
    expect(o.order("different")(classes(data)).classes).toEqual(["0", "1", "2", "3"]);
  });
});

describe("augment", () => {
  test("makes so many versions, each a shifted copy", () => {
    const stream = o.augment({ copies: 2, shiftPixels: 1 })(classes(digits()));
    const { train } = stream.experience(0);
    expect([train.length, stream.countOf(0)]).toEqual([2874, 2874]);
    expect(train.labels[1437]).toBe(train.labels[0]);
    const image = gather(digits().train, [3]);
    const seen = gather(train, [3]);
    const fits = [-1, 0, 1].flatMap((dy) =>
      [-1, 0, 1].map((dx) =>
        seen.every((v, j) => {
          const [y, x] = [Math.floor(j / 8) - dy, (j % 8) - dx];
          return v === (y >= 0 && y < 8 && x >= 0 && x < 8 ? image[y * 8 + x] : 0);
        }),
      ),
    );
    expect(fits).toContain(true);
    expect(gather(train, [3])).toEqual(seen);
  });

  test("mirrors all where it is asked to", () => {
    const { train } = o.augment({ flip: 1 })(classes(digits())).experience(0);
    const [seen, image] = [gather(train, [9]), gather(digits().train, [9])];
    expect([...seen]).toEqual(Array.from({ length: 64 }, (_, j) => image[j - (j % 8) + 7 - (j % 8)]!));
  });
});

test("dualStage mixes all experiences but one, then gives that one with a share of the others", () => {
  const stream = o.dualStage({ general: 1, replay: 0.1 })(split5());
  const whole = split5();
  const counts = Array.from({ length: 5 }, (_, i) => whole.countOf(i));
  const others = [0, 2, 3, 4];
  expect([stream.length, stream.tasks, stream.facts.includes("task" as never)]).toEqual([2, 2, false]);
  expect([stream.classesOf(0), stream.classesOf(1)]).toEqual([
    [0, 1, 4, 5, 6, 7, 8, 9],
    [2, 3],
  ]);
  expect(stream.test(0).examples.length).toBe(
    [0, 2, 3, 4].reduce((sum, i) => sum + split5().test(i).examples.length, 0),
  );
  const [first, second] = [stream.experience(0).train, stream.experience(1).train];
  expect(first.length).toBe(others.reduce((sum, i) => sum + counts[i]!, 0));
  expect([...new Set(first.labels)].sort((a, b) => a - b)).toEqual([0, 1, 4, 5, 6, 7, 8, 9]);
  const again = others.reduce((sum, i) => sum + Math.round(0.1 * counts[i]!), 0);
  expect(second.length).toBe(counts[1]! + again);
  expect(stream.countOf(1)).toBe(second.length);
  expect([...second.labels.slice(0, counts[1])].every((label) => label === 2 || label === 3)).toBe(true);
  expect([...second.labels.slice(counts[1])].some((label) => label === 2 || label === 3)).toBe(false);
  expect(() => o.dualStage({ general: 7 })(split5())).toThrow("a general one among them are required, got 5 and 7");
});

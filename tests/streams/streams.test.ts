import { describe, expect, expectTypeOf, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { type Examples, gather } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { corrupt } from "../../lib/streams/operators/corrupt.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { online } from "../../lib/streams/operators/online.ts";
import { order } from "../../lib/streams/operators/order.ts";
import { repeat } from "../../lib/streams/operators/repeat.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { slice } from "../../lib/streams/operators/slice.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { validation } from "../../lib/streams/operators/validation.ts";
import { withhold } from "../../lib/streams/operators/withhold.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { permuted } from "../../lib/streams/sources/permuted.ts";
import { rotated } from "../../lib/streams/sources/rotated.ts";
import type { Stream } from "../../lib/streams/stream.ts";

const base = (first: number, then: number) => ({ first, then });
const of = (stream: Stream) => [...stream];
const distinct = (examples: Examples) => [...new Set(examples.labels)].sort((a, b) => a - b);
const counts = (stream: Stream) => of(stream).map((e) => e.train.length);

describe("classes and split", () => {
  test("classes is one experience with everything", () => {
    const stream = classes(digits());
    expect(stream.length).toBe(1);
    expect(counts(stream)).toEqual([1437]);
    expectTypeOf(stream).toEqualTypeOf<Stream<"boundary" | "labels" | "length", "image">>();
  });

  test("split(5) makes five tasks of two classes, in order", () => {
    const stream = split(5)(classes(digits()));
    expect(of(stream).map((e) => e.classes)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    expect(of(stream).map((e) => distinct(e.train))).toEqual(of(stream).map((e) => [...e.classes]));
    expect(counts(stream)).toEqual([143 + 146, 142 + 146, 144 + 145, 144 + 143, 141 + 143]);
    expect(of(stream).map((e) => e.test.length)).toEqual([71, 72, 74, 73, 70]);
    expect(stream.facts).toEqual(["boundary", "labels", "length"]);
  });

  test("split takes sizes, lists of classes or names, and a base with increments", () => {
    const all = classes(digits());
    const groups = (stream: Stream) => of(stream).map((e) => e.classes);
    expect(groups(split([7, 2, 1])(all)).map((g) => g.length)).toEqual([7, 2, 1]);
    expect(
      groups(
        split([
          [4, 1],
          ["9", 0],
        ])(all),
      ),
    ).toEqual([
      [1, 4],
      [0, 9],
    ]);
    expect(groups(split(base(4, 3))(all))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
  });

  test("a split of several experiences splits each", () => {
    const stream = split(2)(permuted(digits(), 3));
    expect(stream.length).toBe(6);
    expect(stream.experience(3).classes).toEqual([5, 6, 7, 8, 9]);
    expect(stream.experience(3).task).toBe(3);
    const whole = permuted(digits(), 3).experience(1).train;
    const at = [...whole.labels.keys()].filter((i) => whole.labels[i]! >= 5);
    expect(gather(stream.experience(3).train, [0, 1, 2])).toEqual(gather(whole, at.slice(0, 3)));
  });

  test.each([
    [
      4,
      "split: 10 classes do not divide into 4 groups of one size; try split(2) or split(5) or split(10), or sizes: split([3,3,2,2])",
    ],
    [20, "split: 10 classes do not divide into 20 groups"],
    [0, "a whole number of groups from 1 is required, got 0"],
    [2.5, "a whole number of groups from 1 is required, got 2.5"],
    [[5, 4], "sizes that add up to 10 classes are required, got 5 + 4 = 9"],
    [base(5, 2), "10 classes do not divide into first 5, then 2 each"],
    [
      [
        [1, 2],
        [2, 3],
      ],
      "each class once is required, got 2 twice",
    ],
    [[[1], [10]], "one of 10 classes is required, got 10"],
    [[["one"]], "one of 10 classes is required, got one"],
    [[[1], []], "at least one class in every group is required, got none in group 1"],
    [[], "at least one group is required, got none"],
  ] as const)("split(%j) is refused with a sentence", (groups, message) => {
    expect(() => split(groups as never)(classes(digits()))).toThrow(message);
  });

  test("an experience without examples is an error that names it", () => {
    const data = digits();
    const none = split(2)(slice(0, 1)(classes(data)));
    const bare = split([["0"], [...data.classes.slice(1)]])(limit(1)(classes(data))); // one example is left, of one class
    expect(of(none)).toHaveLength(2);
    expect(() => of(bare)).toThrow(/split: experience [01] has no training examples/);
  });
});

describe("order", () => {
  test("numbers the columns in the order of a list, so a split follows it", () => {
    const list = [9, 7, 5, 3, 1, 0, 2, 4, 6, 8];
    for (const stream of [split(5)(order(list)(classes(digits()))), split(5)(classes(digits(), { order: list }))]) {
      expect(stream.classes).toEqual(list.map(String));
      const first = stream.experience(0);
      expect(first.classes).toEqual([0, 1]);
      expect(first.train.length).toBe(143 + 143); // nines and sevens
    }
  });

  test("of several experiences orders these, and the tasks with them", () => {
    const stream = order([2, 0, 1])(rotated(digits(), [0, 10, 20]));
    const plain = rotated(digits(), [0, 10, 20]);
    expect(gather(stream.experience(0).train, [7])).toEqual(gather(plain.experience(2).train, [7]));
    expect(gather(stream.test(1).examples, [7])).toEqual(gather(plain.test(0).examples, [7]));
    expect(of(stream).map((e) => [e.index, e.task])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
  });

  test("the run's seed decides where it is asked to, through every operator", () => {
    const stream = scenario("class")(split(5)(order("run")(classes(digits()))));
    expect(stream.seeded(1).classes).toEqual(stream.seeded(1).classes);
    expect(stream.seeded(1).classes).not.toEqual(stream.seeded(2).classes);
    expect(stream.seeded(1).toJSON()).toMatchObject({ of: { of: { args: [1] } } });
    const fixed = split(5)(order(3)(classes(digits())));
    expect(fixed.seeded(1)).toBe(fixed);
    const asked = permuted(digits(), 2, { seed: "run" });
    const pixels = (s: Stream) => gather(s.experience(0).train, [0]);
    expect(pixels(asked.seeded(5))).toEqual(pixels(permuted(digits(), 2, { seed: 5 })));
    expect(pixels(asked.seeded(5))).not.toEqual(pixels(asked.seeded(6)));
    expect(split(2)(asked).seeded(4).toJSON()).toMatchObject({ of: { args: [2, { seed: 4 }] } });
  });

  test("a list that misses or repeats a class is refused", () => {
    expect(() => order([0, 1])(classes(digits()))).toThrow("an order with each of 10 positions");
    expect(() => order([0, 0, 1])(rotated(digits(), [0, 1, 2]))).toThrow(
      "each of 3 positions (0, 1, 2) once is required, got 0, 0, 1",
    );
  });
});

describe("scenario", () => {
  const split5 = () => split(5)(classes(digits()));

  test("class keeps labels and one head, and tells no task", () => {
    const stream = scenario("class")(split5());
    expect([stream.head, stream.classes.length, stream.facts.includes("task" as never)]).toEqual(["single", 10, false]);
    expect(distinct(stream.experience(2).train)).toEqual([4, 5]);
    expectTypeOf(stream).toEqualTypeOf<Stream<"boundary" | "labels" | "length", "image">>();
  });

  test("class with a growing head numbers the columns as they arrive", () => {
    const stream = scenario("class", { head: "growing" })(split([[8, 3], [1], [0, 9]])(classes(digits())));
    expect(stream.head).toBe("growing");
    expect(of(stream).map((e) => e.classes)).toEqual([[0, 1], [2], [3, 4]]);
    expect(stream.classes.slice(0, 5)).toEqual(["3", "8", "1", "0", "9"]);
    expect(stream.experience(1).train.length).toBe(146); // ones
    expect(distinct(stream.test(2).examples)).toEqual([3, 4]);
  });

  test("task tells the task and keeps labels that no two tasks share", () => {
    const stream = scenario("task")(split5());
    expect([stream.head, stream.classes.length]).toEqual(["multi", 10]);
    expect(stream.facts).toContain("task");
    expect(stream.experience(3).classes).toEqual([6, 7]);
    expectTypeOf(stream).toEqualTypeOf<Stream<"boundary" | "labels" | "length" | "task", "image">>();
  });

  test("task gives tasks over the same labels columns of their own: t·C + l", () => {
    const stream = scenario("task")(permuted(digits(), 3));
    expect(stream.classes).toHaveLength(30);
    expect(stream.classes[14]).toBe("1: 4");
    expect(stream.experience(2).classes).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    expect(stream.experience(2).train.labels[0]).toBe(20);
    expect(stream.test(1).examples.labels[0]).toBe(10 + digits().test.labels[0]!);
  });

  test("domain makes labels positions among the classes of their task", () => {
    const stream = scenario("domain")(split5());
    expect(stream.classes).toEqual(["0/2/4/6/8", "1/3/5/7/9"]);
    for (const e of stream) {
      expect(e.classes).toEqual([0, 1]);
      expect(distinct(e.train)).toEqual([0, 1]);
      expect(distinct(e.test)).toEqual([0, 1]);
    }
  });

  test("refuses a word or an option that does not exist", () => {
    // @ts-expect-error no such scenario
    expect(() => scenario("tasks")).toThrow("scenario: one of class, task, domain is required, got tasks");
    // @ts-expect-error no such option
    expect(() => scenario("class", { heads: "growing" })).toThrow("scenario: no option heads; it has head");
    expect(() => scenario("task", { head: "growing" })).toThrow('the option head goes with "class"');
  });
});

describe("validation, limit and slice", () => {
  test("validation takes a share of each class from the training examples, and nothing is lost", () => {
    const stream = validation(0.1)(split(5)(classes(digits())));
    const e = stream.experience(0);
    expect([e.train.length, e.validation?.length]).toEqual([289 - 29, 14 + 15]);
    const rows = (part: Examples) => Array.from({ length: part.length }, (_, i) => gather(part, [i]).join());
    const whole = rows(split(5)(classes(digits())).experience(0).train);
    expect([...rows(e.train), ...rows(e.validation!)].sort()).toEqual(whole.sort());
    expect(() => validation(0)).toThrow("validation: share must be a share in (0, 1), got 0");
  });

  test("limit keeps so many examples of an experience or of each class", () => {
    const stream = split(5)(classes(digits()));
    expect(counts(limit(7)(stream))).toEqual([7, 7, 7, 7, 7]);
    const few = limit({ train: 5, test: 3, perClass: true })(stream).experience(1);
    expect([...few.train.labels].sort()).toEqual([2, 2, 2, 2, 2, 3, 3, 3, 3, 3]);
    expect(few.test.length).toBe(6);
    expect(limit(100_000)(stream).experience(0).train.length).toBe(289);
  });

  test("slice keeps some experiences and evaluates their tasks alone", () => {
    const stream = slice(-2)(split(5)(classes(digits())));
    expect([stream.length, stream.tasks]).toEqual([2, 2]);
    expect(of(stream).map((e) => [e.index, e.task, ...e.classes])).toEqual([
      [0, 0, 6, 7],
      [1, 1, 8, 9],
    ]);
    expect(slice(1)(permuted(digits(), Infinity)).length).toBe(Infinity);
    expect(() => slice(3, 3)(permuted(digits(), 5))).toThrow("slice: at least one experience is required, got none");
  });
});

describe("permuted and rotated", () => {
  test("a permuted task has the same pixels in one other order for all examples", () => {
    const stream = permuted(digits(), 3);
    const plain = gather(digits().train, [0, 1]);
    const first = gather(stream.experience(1).train, [0, 1]);
    expect([...first.subarray(0, 64)].sort()).toEqual([...plain.subarray(0, 64)].sort());
    expect(first).not.toEqual(plain);
    const from = Array.from({ length: 64 }, (_, j) =>
      Array.from({ length: 64 }, (_, k) => k).filter((k) => plain[k] === first[j] && plain[64 + k] === first[64 + j]),
    );
    expect(from.every((candidates) => candidates.length > 0)).toBe(true);
    expect(gather(permuted(digits(), 3, { identityFirst: true }).experience(0).train, [0, 1])).toEqual(plain);
  });

  test("a stream that never ends has no length to tell, and its experiences are made when asked for", () => {
    const stream = permuted(digits(), Infinity);
    expect([stream.length, stream.tasks, stream.facts]).toEqual([Infinity, Infinity, ["boundary", "labels"]]);
    expect(stream.experience(123_456).train.length).toBe(1437);
    expect(() => order(1)(stream)).toThrow("order: a stream that ends is required");
  });

  test("rotated takes angles or draws them", () => {
    expect(gather(rotated(digits(), [0]).experience(0).train, [3])).toEqual(gather(digits().train, [3]));
    const drawn = rotated(digits(), { tasks: 4, seed: 9 });
    expect(drawn.length).toBe(4);
    expect(drawn.toJSON().args).toEqual([{ tasks: 4, seed: 9 }]);
    expect(() => rotated(digits(), [Number.NaN])).toThrow("at least one angle in degrees is required, got NaN");
    // @ts-expect-error vectors cannot be turned
    expect(() => rotated(blobs(), [1])).toThrow("rotated: a data set of images is required, got vector of shape [2]");
  });
});

test("a position outside the stream is an error that says what there is", () => {
  const stream = split(5)(classes(digits()));
  expect(() => stream.experience(5)).toThrow("split: an experience from 0 to 4 is required, got 5");
  expect(() => stream.test(-1)).toThrow("split: a task from 0 to 4 is required, got -1");
});

test("an operator that cannot follow another is a red squiggle, and a sentence when it is made", () => {
  const bare = withhold("labels")(classes(digits()));
  // @ts-expect-error this operator needs a stream that tells "labels"
  expect(() => split(5)(bare)).toThrow(
    'split: a stream that tells "labels" is required, got one that tells boundary, length',
  );
  const flowing = online()(classes(digits()));
  // @ts-expect-error this operator needs a stream that tells "boundary"
  expect(() => split(5)(flowing)).toThrow('split: a stream that tells "boundary" is required');
  // @ts-expect-error vectors cannot be corrupted as images are
  expect(() => corrupt("fog")(classes(blobs()))).toThrow("corrupt: a stream of image examples is required, got vector");
  expect(() => repeat(2)(permuted(digits(), Infinity))).toThrow(
    "repeat: a stream that ends is required; slice it first",
  );
});

import { describe, expect, test } from "vitest";
import {
  type AccuracyMatrix,
  accuracyMatrix,
  averageAccuracy,
  averageIncrementalAccuracy,
  bwt,
  diazAccuracy,
  forgetting,
  fwt,
  pooledAccuracy,
  underRule,
} from "../../lib/metrics/index.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { logOf } from "./logs.ts";

const R = [
  [0.9, 0, 0, 0],
  [0.6, 0.8, 0, 0],
  [0.7, 0.5, 0.95, 0],
  [0.4, 0.55, 0.6, 0.85],
];

/** The same matrix with task 1 remembered better after task 2 than right after it was learned. */
const improved = R.map((row, i) => row.map((value, j) => (i === 2 && j === 1 ? 0.92 : value)));

describe("the worked example of four tasks, digit by digit", () => {
  test.each([
    [averageAccuracy, 0.6],
    [averageIncrementalAccuracy, (0.9 + 0.7 + 2.15 / 3 + 0.6) / 4],
    [diazAccuracy, 0.685],
    [forgetting.chaudhry, 1.1 / 3],
    [forgetting.initialMinusLast, 1.1 / 3],
    [forgetting.mammoth, 1.1 / 3],
    [bwt.gem, -1.1 / 3],
    [bwt.diaz, -1.9 / 6],
    [fwt.diaz, 0],
  ])("$metric", (measure, expected) => {
    expect(measure(logOf(R)).value).toBeCloseTo(expected, 12);
  });

  test("to five digits", () => {
    expect(averageAccuracy(logOf(R)).value?.toFixed(4)).toBe("0.6000");
    expect(averageIncrementalAccuracy(logOf(R)).value?.toFixed(5)).toBe("0.72917");
    expect(diazAccuracy(logOf(R)).value?.toFixed(4)).toBe("0.6850");
    expect(forgetting.chaudhry(logOf(R)).value?.toFixed(5)).toBe("0.36667");
    expect(bwt.diaz(logOf(R)).value?.toFixed(5)).toBe("-0.31667");
  });
});

describe("the traps that other libraries fall into", () => {
  test("a task that improves later moves the maximum but not the first value", () => {
    expect(forgetting.chaudhry(logOf(improved)).value?.toFixed(5)).toBe("0.40667");
    expect(forgetting.initialMinusLast(logOf(improved)).value?.toFixed(5)).toBe("0.36667");
  });

  test("the maximum includes the row before the last: the off-by-one that stops two rows early gives another number", () => {
    const late = [
      [0.5, 0, 0],
      [0.6, 0.5, 0],
      [0.55, 0.45, 0.9],
    ];
    expect(forgetting.chaudhry(logOf(late)).value).toBeCloseTo((0.6 - 0.55 + (0.5 - 0.45)) / 2, 12);
  });

  test("a maximum over the last row as well hides an improvement that the definition counts", () => {
    const better = [
      [0.5, 0, 0],
      [0.5, 0.8, 0],
      [0.7, 0.6, 0.9],
    ];
    expect(forgetting.chaudhry(logOf(better)).value).toBeCloseTo((0.5 - 0.7 + (0.8 - 0.6)) / 2, 12);
    expect(forgetting.mammoth(logOf(better)).value).toBeCloseTo((0 + (0.8 - 0.6)) / 2, 12);
  });

  test("a lucky guess before a task is learned is not knowledge to forget", () => {
    const lucky = [
      [0.9, 0.95],
      [0.8, 0.9],
    ];
    expect(forgetting.chaudhry(logOf([...lucky, [0.7, 0.85]])).value).toBeCloseTo((0.2 + 0.05) / 2, 12);
  });

  test("backward transfer is the first-minus-last forgetting with its sign turned", () => {
    for (const matrix of [R, improved]) {
      expect(bwt.gem(logOf(matrix)).value).toBeCloseTo(-forgetting.initialMinusLast(logOf(matrix)).value!, 12);
    }
  });

  test("evaluations in the middle of an experience and of tasks not yet met leave the average alone", () => {
    const log = logOf(R).flatMap((event): TrainEvent[] =>
      event.type === "evaluated" ? [event, { ...event, at: "step" as const, accuracy: 0.123 }] : [event],
    );
    expect(averageAccuracy(log).value).toBeCloseTo(0.6, 12);
    expect(averageIncrementalAccuracy(log).value).toBeCloseTo(0.729166666666, 9);
  });

  test("pooling the examples of all tasks weighs large tasks more, and forgets those not met", () => {
    const log = logOf(R).map(
      (event): TrainEvent => (event.type === "evaluated" ? { ...event, examples: 100 * (event.on + 1) } : event),
    );
    expect(pooledAccuracy(log).value).toBeCloseTo((0.4 + 2 * 0.55 + 3 * 0.6 + 4 * 0.85) / 10, 12);
    expect(pooledAccuracy(logOf(R, { rows: 2 })).value).toBeCloseTo(0.7, 12);
  });

  test("the average at the end leaves out tasks that an interrupted run never met", () => {
    expect(averageAccuracy(logOf(R, { rows: 2 })).value).toBeCloseTo(0.7, 12);
    expect(forgetting.chaudhry(logOf(R, { rows: 2 })).value).toBeCloseTo(0.3, 12);
  });
});

describe("forward transfer", () => {
  const shared = [
    [0.9, 0.3, 0.2],
    [0.8, 0.9, 0.5],
    [0.7, 0.8, 0.9],
  ];

  test("is measured from the untrained network by one definition and from nothing by the other", () => {
    const log = logOf(shared, { initial: [0.1, 0.1, 0.2], classes: "shared" });
    expect(fwt.gem(log).value).toBeCloseTo((0.3 - 0.1 + (0.5 - 0.2)) / 2, 12);
    expect(fwt.diaz(log).value).toBeCloseTo((0.3 + 0.2 + 0.5) / 3, 12);
  });

  test("is undefined in class-incremental learning with one head, and says so", () => {
    const log = logOf(R, { initial: [0, 0, 0, 0], head: "single" });
    for (const measure of [fwt.gem, fwt.diaz]) {
      expect(measure(log).value).toBeUndefined();
      expect(measure(log).why).toMatch(/class-incremental: the outputs for the classes of task 1 /);
    }
  });

  test("is undefined without an evaluation before training, and says so", () => {
    expect(fwt.gem(logOf(shared, { classes: "shared" })).why).toBe("task 1 was not evaluated before training");
  });
});

describe("the accuracy matrix", () => {
  test("has a row per experience, a column per task and NaN where nothing was measured", () => {
    const matrix: AccuracyMatrix = accuracyMatrix(logOf(R, { initial: [0.1, 0.1, 0.1, 0.1], evaluate: "seen" }));
    expect(matrix.values).toEqual([
      [0.9, Number.NaN, Number.NaN, Number.NaN],
      [0.6, 0.8, Number.NaN, Number.NaN],
      [0.7, 0.5, 0.95, Number.NaN],
      [0.4, 0.55, 0.6, 0.85],
    ]);
    expect(matrix.initial).toEqual([0.1, 0.1, 0.1, 0.1]);
    expect(matrix.learnedAt).toEqual([0, 1, 2, 3]);
  });

  test("gives task-aware and task-agnostic accuracy of the same run", () => {
    const log = logOf([[0.5]], { aware: 0.25, agnostic: -0.25 });
    expect(accuracyMatrix(log).values).toEqual([[0.5]]);
    expect(accuracyMatrix(log, { rule: "aware" }).values).toEqual([[0.75]]);
    expect(accuracyMatrix(log, { rule: "agnostic" }).values).toEqual([[0.25]]);
    expect(averageAccuracy(underRule(log, "aware")).value).toBe(0.75);
  });

  test("knows tasks that recur by their first experience, and leaves out the one that was trained last", () => {
    const log = logOf(
      [
        [0.9, 0.1],
        [0.5, 0.8],
        [0.9, 0.6],
      ],
      { tasks: [0, 1, 0] },
    );
    expect(accuracyMatrix(log).learnedAt).toEqual([0, 1]);
    expect(accuracyMatrix(log).visits).toEqual([
      { task: 0, row: 0 },
      { task: 1, row: 1 },
      { task: 0, row: 2 },
    ]);
    expect(forgetting.chaudhry(log).value).toBeCloseTo(0.8 - 0.6, 12);
  });

  test("a cell that was never measured makes a quantity undefined, naming the cell", () => {
    const log = logOf(R).filter((event) => event.type !== "evaluated" || event.after !== 3 || event.on !== 1);
    expect(averageAccuracy(log).why).toBe("task 1 was not evaluated after experience 3");
    expect(forgetting.mammoth(logOf([[0.9]])).why).toBe("only one task has been learned");
    expect(averageAccuracy([]).why).toBe("nothing was evaluated after an experience");
  });
});

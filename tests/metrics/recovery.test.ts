import { collapse, onlineErrors, recovery, type TrainEvent } from "thalweg";
import { describe, expect, test } from "vitest";

const one = {
  taskAware: 0,
  taskAgnostic: 0,
  loss: 1,
  examples: 20,
  accuracy: 0,
  type: "evaluated",
  at: "experience",
  after: 0,
} as const;
/** A round in which tasks came one after the other, with the accuracy of each batch. */
const round = (step: number, ...tasks: readonly (readonly number[])[]): TrainEvent[] =>
  tasks.map((all, on) => ({ ...one, step, on, online: all.map((accuracy) => ({ examples: 10, accuracy })) }));

describe("learning at test time, by hand", () => {
  test("recovery counts batches after a shift until what is settled later is reached, in the last round only", () => {
    const early = round(1, [0.1, 0.1], [0.1, 0.9, 0.9, 0.9]);
    // the second half of task 1 is 0.85 in the mean: 0.8 is reached at batch 2; task 2 is there at once
    const log = [...early, ...round(2, [0.9, 0.9], [0.2, 0.6, 0.8, 0.9], [0.7, 0.7])];
    expect(recovery(log).value).toBe(1);
    expect(recovery(early).value).toBe(1);
    expect(recovery(round(1, [0.5])).value).toBeUndefined();
  });

  test("a collapse begins after the last batch that is half as good as the best task", () => {
    expect(collapse(round(1, [0.8, 0.8], [0.7, 0.1, 0.1, 0.1])).value).toBeCloseTo(3 / 6, 9);
    expect(collapse(round(1, [0.8, 0.8], [0.1, 0.1, 0.4])).value).toBe(0);
  });

  test("the error over time has a row for each batch", () => {
    const rows = onlineErrors(round(1, [1, 0.5], [0])).objects() as { task: number; seen: number; error: number }[];
    expect(rows.map(({ task, seen, error }) => [task, seen, error])).toEqual([
      [0, 0, 0],
      [0, 10, 0.5],
      [1, 20, 1],
    ]);
  });
});

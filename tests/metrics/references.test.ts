import { describe, expect, test } from "vitest";
import { bwt, cost, gapClosed, intransigence, lifelong, plasticity } from "../../lib/metrics/index.ts";
import { medianSlope, recoveryTimes } from "../../lib/metrics/parts/recovery.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { logOf } from "./logs.ts";

const R = [
  [0.9, 0.2, 0.1],
  [0.6, 0.8, 0.2],
  [0.5, 0.7, 0.7],
];

describe("intransigence", () => {
  const cumulative = logOf([
    [0.95, 0, 0],
    [0.9, 0.9, 0],
    [0.9, 0.85, 0.8],
  ]);

  test("against training on all data so far compares right after each task", () => {
    expect(intransigence.cumulative(cumulative)(logOf(R)).value).toBeCloseTo((0.05 + 0.1 + 0.1) / 3, 12);
  });

  test("against joint training compares with the reference's end, and is negative when joint training is worse", () => {
    expect(intransigence.joint(cumulative)(logOf(R)).value).toBeCloseTo((0 + 0.05 + 0.1) / 3, 12);
    expect(intransigence.joint(logOf([[0.5, 0.5, 0.5]], { tasks: [0] }))(logOf(R)).value).toBeCloseTo(
      (-0.4 - 0.3 - 0.2) / 3,
      12,
    );
  });

  test("says which task the reference lacks", () => {
    expect(() => intransigence.joint([])(logOf(R))).toThrow("intransigence: the reference run has to evaluate task 0");
  });

  test("the share of the gap closed is undefined when there is no gap", () => {
    const final = (value: number) => logOf([[value]]);
    expect(gapClosed({ lower: final(0.2), upper: final(0.9) })(final(0.76)).value).toBeCloseTo(0.8, 12);
    expect(gapClosed({ lower: final(0.9), upper: final(0.9) })(final(0.5)).why).toBe(
      "the upper reference is no better than the lower one",
    );
  });
});

describe("the lifelong suite", () => {
  test("maintenance is the mean change of each task from its own learning to every later evaluation", () => {
    expect(lifelong.performanceMaintenance(logOf(R)).value).toBeCloseTo(((-0.3 - 0.4) / 2 + -0.1) / 2, 12);
  });

  test("forward transfer contrasts each task before and after every task that came earlier", () => {
    const log = logOf(R, { initial: [0.1, 0.1, 0.1] });
    const pairs = [
      [0.1, 0.2],
      [0.1, 0.1],
      [0.1, 0.2],
    ] as const;
    const expected = pairs.map(([before, after]) => (after - before) / (after + before));
    expect(lifelong.forwardTransfer(log).value).toBeCloseTo(expected.reduce((a, b) => a + b) / 3, 12);
    expect(lifelong.forwardTransfer(logOf(R)).why).toBe("task 1 was not evaluated before training");
    expect(lifelong.forwardTransfer(logOf(R, { initial: [0, 0, 0], head: "single" })).why).toMatch(
      /^class-incremental/,
    );
  });

  test("backward transfer contrasts each learned task before and after every later one", () => {
    const expected = [-0.3 / 1.5, -0.1 / 1.1, -0.1 / 1.5];
    expect(lifelong.backwardTransfer(logOf(R)).value).toBeCloseTo(expected.reduce((a, b) => a + b) / 3, 12);
  });

  const learning = (task: number, start: number, values: readonly number[]): TrainEvent[] => [
    { type: "boundary", step: start, experience: task, task, examples: 10, classes: [task], steps: 20 },
    ...values.map(
      (accuracy, index): TrainEvent => ({
        type: "evaluated",
        step: start + index * 10,
        at: index === 0 ? (task === 0 ? "start" : "step") : index === values.length - 1 ? "experience" : "step",
        after: task,
        on: task,
        examples: 10,
        accuracy,
        taskAware: accuracy,
        taskAgnostic: accuracy,
        loss: 1,
      }),
    ),
  ];
  const log = [...learning(0, 0, [0.1, 0.5, 0.9]), ...learning(1, 20, [0.3, 0.8, 0.8])];
  const experts = { 0: learning(0, 0, [0.1, 0.5, 0.9]), 1: learning(1, 0, [0.1, 0.4, 0.8]) };

  test("relative performance is the ratio of areas under the learning curves", () => {
    expect(lifelong.relativePerformance(experts)(log).value).toBeCloseTo((1 + 13.5 / 8.5) / 2, 12);
  });

  test("sample efficiency is how far and how fast, against the expert", () => {
    expect(lifelong.sampleEfficiency(experts)(log).value).toBeCloseTo((1 + (0.8 / 0.8) * (20 / 10)) / 2, 12);
  });

  test("recovery gets faster where minus the median slope of the times to be as good as before is above 0", () => {
    // task 0 reaches 0.9, then recovers in 30, 20 and 10 steps; task 1 comes between and never recovers
    const visit = (task: number, start: number, values: readonly number[]): TrainEvent[] =>
      learning(task, start, values).map((event) => (event.type === "evaluated" ? { ...event, at: "step" } : event));
    const returning = [
      ...visit(0, 0, [0.1, 0.9]),
      ...visit(1, 10, [0.1, 0.8]),
      ...visit(0, 20, [0.2, 0.4, 0.6, 0.9]),
      ...visit(1, 50, [0.1, 0.7]),
      ...visit(0, 60, [0.3, 0.5, 0.95, 0.9]),
      ...visit(1, 90, [0.1, 0.6]),
      ...visit(0, 100, [0.3, 0.96, 0.9]),
    ];
    expect(recoveryTimes(returning)).toEqual([[30, 20, 10], []]);
    expect(lifelong.performanceRecovery(returning).value).toBe(10);
    expect(lifelong.performanceRecovery(log).why).toMatch(/^no task came back/);
    // pairs of 30, 10, 20: (−20)/1, (−10)/2, 10/1
    expect(medianSlope([30, 10, 20])).toBe(-5);
  });

  test("says which expert is missing", () => {
    expect(lifelong.sampleEfficiency({ 0: experts[0] })(log).why).toBe("there is no expert of task 1");
  });
});

test("positive backward transfer and remembering split the mean change", () => {
  const better = logOf([
    [0.5, 0],
    [0.7, 0.8],
  ]);
  expect(bwt.positive(better).value).toBeCloseTo(0.2, 12);
  expect(bwt.remembering(better).value).toBe(1);
  expect(bwt.positive(logOf(R)).value).toBe(0);
  expect(bwt.remembering(logOf(R)).value).toBeCloseTo(1 - (0.3 + 0.4 + 0.1) / 3, 12);
});

test("costs are read off the log, the largest buffer counts, and what was not measured says so", () => {
  const probed = (step: number, value: number): TrainEvent => ({
    type: "probed",
    step,
    experience: 0,
    name: "bufferBytes",
    layer: null,
    on: null,
    value,
  });
  const log = [...logOf(R), probed(10, 500), probed(20, 900), probed(30, 700)];
  expect(cost.steps(log).value).toBe(30);
  expect(cost.evaluatedExamples(log).value).toBe(900);
  expect(cost.parameters(log).value).toBe(1000);
  expect(cost.bufferBytes(log).value).toBe(900);
  expect(cost.flops(log).why).toBe("flops was not measured");
  expect(cost.evaluations(log).value).toBe(log.filter(({ type }) => type === "evaluated").length);
  const timed: TrainEvent[] = [
    { type: "learned", step: 10, experience: 0, seconds: 1.5 },
    { type: "learned", step: 20, experience: 1, seconds: 2.25 },
    { type: "finished", step: 20, seconds: 4.5 },
  ];
  expect([cost.trainingSeconds(timed).value, cost.seconds(timed).value]).toEqual([3.75, 4.5]);
  expect(cost.seconds(timed.slice(0, 2)).why).toBe("the run did not come to its end");
});

test("plasticity at the end is the mean over layers of the last measurements, whatever the task that they were made with", () => {
  const probed = (
    name: keyof typeof plasticity,
    step: number,
    layer: string,
    value: number,
    on: number,
  ): TrainEvent => ({
    type: "probed",
    step,
    experience: 0,
    name,
    layer,
    on,
    value,
  });
  for (const name of ["dormantUnits", "effectiveRank", "stableRank", "weightMagnitude"] as const) {
    const log = [probed(name, 1, "a", 9, 0), probed(name, 2, "a", 4, 1), probed(name, 2, "b", 6, 1)];
    expect(plasticity[name](log).value).toBe(5);
    expect(plasticity[name]([]).why).toBe(`${name} was not measured`);
  }
});

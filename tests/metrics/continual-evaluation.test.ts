import { describe, expect, test } from "vitest";
import {
  anytime,
  learningCurveArea,
  prequential,
  stabilityGap,
  timeToThreshold,
  windowedForgetting,
  windowedPlasticity,
} from "../../lib/metrics/index.ts";
import type { TrainEvent } from "../../lib/train/events.ts";

/** A run of tasks of `stepsEach` steps, evaluated at the steps given: `[step, accuracy by task]`. */
function evaluatedAt(
  stepsEach: number,
  tasks: number,
  points: readonly (readonly [number, ...number[]])[],
): TrainEvent[] {
  const log: TrainEvent[] = [];
  for (let task = 0; task < tasks; task++) {
    log.push({
      type: "boundary",
      step: task * stepsEach,
      experience: task,
      task,
      examples: 10,
      classes: [task],
      steps: stepsEach,
    });
    for (const [step, ...accuracies] of points) {
      const first = step === 0 && task === 0;
      if (!first && (step <= task * stepsEach || step > (task + 1) * stepsEach)) continue;
      const at = first ? "start" : step % stepsEach === 0 ? "experience" : "step";
      for (const [on, accuracy] of accuracies.entries()) {
        log.push({
          type: "evaluated",
          step,
          at,
          after: first ? -1 : task,
          on,
          examples: 100,
          accuracy,
          taskAware: accuracy,
          taskAgnostic: accuracy,
          loss: 1,
        });
      }
    }
  }
  return log;
}

/** Task 0 falls to .3 right after the switch, climbs back to .85, then falls to .5 in the third task. */
const dips = evaluatedAt(10, 3, [
  [0, 0.1, 0.1, 0.1],
  [5, 0.6, 0.1, 0.1],
  [10, 0.9, 0.1, 0.1],
  [12, 0.3, 0.5, 0.1],
  [15, 0.7, 0.7, 0.1],
  [20, 0.85, 0.8, 0.1],
  [22, 0.5, 0.2, 0.4],
  [25, 0.6, 0.6, 0.7],
  [30, 0.8, 0.75, 0.9],
]);

describe("the stability gap", () => {
  test("minimum accuracy is the lowest of each earlier task after it was learned", () => {
    expect(stabilityGap.minimumAccuracy(dips).value).toBeCloseTo((0.3 + 0.2) / 2, 12);
  });

  test("worst-case accuracy counts the last task as it is and the others at their worst", () => {
    expect(stabilityGap.worstCaseAccuracy(dips).value).toBeCloseTo(0.9 / 3 + (2 / 3) * 0.25, 12);
  });

  test("depth is the mean fall after each boundary", () => {
    const falls = [0.9 - 0.3, 0.85 - 0.5, 0.8 - 0.2];
    expect(stabilityGap.depth(dips).value).toBeCloseTo(falls.reduce((a, b) => a + b) / 3, 12);
  });

  test("the accuracy at the end of learning a task is not yet a minimum after it", () => {
    const rising = evaluatedAt(10, 2, [
      [5, 0.2, 0],
      [10, 0.3, 0],
      [15, 0.6, 0.5],
      [20, 0.7, 0.8],
    ]);
    expect(stabilityGap.minimumAccuracy(rising).value).toBeCloseTo(0.6, 12);
  });

  test("evaluation after whole experiences alone does not show it, and says so", () => {
    const sparse = dips.filter((event) => event.type !== "evaluated" || event.at !== "step");
    expect(stabilityGap.minimumAccuracy(sparse).why).toMatch(/hides the gap; evaluate\(\{ everySteps: 10 \}\)/);
  });
});

describe("windowed forgetting and plasticity", () => {
  const series = (...values: number[]) =>
    evaluatedAt(
      values.length,
      1,
      values.map((value, index) => [index + 1, value] as const),
    );

  test("forgetting is the largest fall within the window", () => {
    expect(windowedForgetting(2)(series(0.9, 0.7, 0.6, 0.8)).value).toBeCloseTo(0.2, 12);
    expect(windowedForgetting(3)(series(0.9, 0.7, 0.6, 0.8)).value).toBeCloseTo(0.3, 12);
  });

  test("a fall longer than the window counts only what the window sees", () => {
    expect(windowedForgetting(10)(series(0.9, 0.8, 0.7, 0.6)).value).toBeCloseTo(0.3, 12);
    expect(windowedForgetting(2)(series(0.9, 0.8, 0.7, 0.6)).value).toBeCloseTo(0.1, 12);
  });

  test("plasticity finds a rise that starts low after a high, which pruning by the maximum misses", () => {
    expect(windowedPlasticity(3)(series(0.9, 0.2, 0.7)).value).toBeCloseTo(0.5, 12);
  });

  test("neither is below zero", () => {
    expect(windowedForgetting(10)(series(0.1, 0.5, 0.9)).value).toBe(0);
    expect(windowedPlasticity(10)(series(0.9, 0.5, 0.1)).value).toBe(0);
  });

  test("tasks count alike, from when they are met", () => {
    const rises = [0.9 - 0.1, 0.8 - 0.1, 0.9 - 0.1];
    const falls = [0.9 - 0.3, 0.8 - 0.2, 0];
    for (const rise of [stabilityGap.windowedPlasticity10, stabilityGap.windowedPlasticity100])
      expect(rise(dips).value).toBeCloseTo(rises.reduce((a, b) => a + b) / 3, 12);
    for (const fall of [stabilityGap.windowedForgetting10, stabilityGap.windowedForgetting100])
      expect(fall(dips).value).toBeCloseTo(falls.reduce((a, b) => a + b) / 3, 12);
  });

  test("a window of one evaluation is refused", () => {
    expect(() => windowedForgetting(1)).toThrow("a width of at least 2 evaluations is required, got 1");
  });
});

describe("accuracy at any time", () => {
  const seen = [0.6, 0.9, (0.3 + 0.5) / 2, 0.7, (0.85 + 0.8) / 2, (0.5 + 0.2 + 0.4) / 3, 1.9 / 3, 2.45 / 3];
  const steps = [5, 10, 12, 15, 20, 22, 25, 30];

  test("averages over evaluations the mean of the tasks met so far", () => {
    expect(anytime.averageAccuracy(dips).value).toBeCloseTo(seen.reduce((a, b) => a + b) / seen.length, 12);
  });

  test("the area weighs evaluations by the steps between them", () => {
    let area = 0;
    for (let index = 1; index < steps.length; index++) {
      area += ((seen[index]! + seen[index - 1]!) / 2) * (steps[index]! - steps[index - 1]!);
    }
    expect(anytime.area(dips).value).toBeCloseTo(area / 25, 12);
  });
});

describe("learning speed", () => {
  test("the learning-curve area is the mean over tasks of the first batches, the one before training included", () => {
    const dense = evaluatedAt(3, 2, [
      [0, 0.1, 0.2],
      [1, 0.4, 0.2],
      [2, 0.7, 0.2],
      [3, 0.9, 0.3],
      [4, 0.8, 0.6],
      [5, 0.8, 0.9],
      [6, 0.8, 0.9],
    ]);
    expect(learningCurveArea(2)(dense).value).toBeCloseTo(((0.1 + 0.4 + 0.7) / 3 + (0.3 + 0.6 + 0.9) / 3) / 2, 12);
    expect(learningCurveArea(10)(dense).why).toMatch(/task 0 was not evaluated after 7 steps|task 0/);
    expect(learningCurveArea(2)(dips).why).toBe(
      "task 0 was not evaluated after 1 steps on it; evaluate({ everySteps: 1 }) evaluates after every step",
    );
  });

  test("time to threshold interpolates between evaluations and counts from the boundary", () => {
    const first = 5 + ((0.75 - 0.6) / (0.9 - 0.6)) * 5;
    const second = 5 + ((0.75 - 0.7) / (0.8 - 0.7)) * 5;
    const third = 5 + ((0.75 - 0.7) / (0.9 - 0.7)) * 5;
    expect(timeToThreshold(0.75)(dips).value).toBeCloseTo((first + second + third) / 3, 12);
  });

  test("a task that never gets there makes it undefined rather than flattering", () => {
    expect(timeToThreshold(0.85)(dips).why).toBe("task 1 never reached an accuracy of 0.85");
  });

  test("prequential accuracy weighs batches by their examples and leaves later epochs out", () => {
    const step = (at: number, epoch: number, accuracy: number, examples: number): TrainEvent => ({
      type: "step",
      step: at,
      experience: 0,
      epoch,
      loss: 9,
      terms: { task: 2 - accuracy, ewc: 5 },
      accuracy,
      examples,
    });
    const log = [step(1, 0, 0.2, 10), step(2, 0, 0.8, 30), step(3, 1, 1, 10)];
    expect(prequential.accuracy(log).value).toBeCloseTo((2 + 24) / 40, 12);
    expect(prequential.loss(log).value).toBeCloseTo((1.8 + 1.2) / 2, 12);
    const { accuracy: _, ...bare } = step(1, 0, 0, 1) as TrainEvent & { type: "step" };
    expect(prequential.accuracy([bare]).why).toBe("the accuracy of batches before their update is not in the log");
  });
});

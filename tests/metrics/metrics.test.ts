/** Every metric of lib/metrics keeps the contract; this suite tests each without naming it. */
import { describe, expect, test } from "vitest";
import * as metrics from "../../lib/metrics/index.ts";
import type { Metric } from "../../lib/metrics/metric.ts";
import { logOf } from "./logs.ts";

const isMetric = (value: unknown): value is Metric => typeof value === "function" && "metric" in value;

const found = Object.entries(metrics).flatMap(([name, value]): [string, Metric][] => {
  if (isMetric(value)) return [[name, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([inner, part]): [string, Metric][] =>
    isMetric(part) ? [[`${name}.${inner}`, part]] : [],
  );
});

test("there are metrics to test", () => {
  expect(found.length).toBeGreaterThan(20);
});

describe.each(found)("%s", (name, measure) => {
  test("carries the name it is reached by, a formula and a unit", () => {
    expect(measure.metric).toBe(name);
    expect(measure.formula).toMatch(/\S/);
    expect(measure.unit).toMatch(/^(share|number|steps|nats|bytes|seconds|FLOPs)$/);
  });

  test("says why it is not defined on an empty log", () => {
    const { value, why } = measure([]);
    expect(value).toBeUndefined();
    expect(why).toMatch(/^\S.*\S$/);
  });

  test("reads the log once, changes nothing in it and gives the same number twice", () => {
    const log = logOf([
      [0.9, 0.1],
      [0.6, 0.8],
    ]);
    const before = JSON.stringify(log);
    function* once() {
      yield* log;
    }
    expect(measure(once())).toEqual(measure(log));
    expect(JSON.stringify(log)).toBe(before);
  });

  test("is a number or a reason on a run of one task", () => {
    const { value, why } = measure(logOf([[0.9]]));
    expect(value === undefined ? why : Number.isFinite(value)).toBeTruthy();
  });
});

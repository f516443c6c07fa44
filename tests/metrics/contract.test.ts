import type { Metric, TrainEvent } from "thalweg";
import { describe, expect, test } from "vitest";
import { madeRun } from "../plots/runs.ts";
import { members } from "../support/members.ts";

const isMetric = (value: unknown): value is Metric =>
  typeof value === "function" && "metric" in value && "formula" in value;

/** The metrics of a file: exported as they are, or together in an object. */
function metricsOf(exports: Readonly<Record<string, unknown>>): (readonly [path: string, metric: Metric])[] {
  return Object.entries(exports).flatMap(([name, value]) => {
    if (isMetric(value)) return [[name, value] as const];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) =>
      isMetric(inner) ? [[`${name}.${key}`, inner] as const] : [],
    );
  });
}

const all = (await members("metrics", ["metric.ts"])).flatMap(({ exports }) => metricsOf(exports));

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}

test("metrics are found in the files of their folder", () => {
  expect(all.length).toBeGreaterThan(20);
  expect(new Set(all.map(([, { metric }]) => metric)).size).toBe(all.length);
});

describe.each(all)("the metric %s", (path, metric) => {
  const log = frozen(madeRun({ tasks: 3 }));
  const logs: readonly (readonly TrainEvent[])[] = [
    [],
    log,
    log.slice(0, Math.floor(log.length / 3)),
    frozen(madeRun({ tasks: 1 })),
  ];

  test("is named for what it is exported as, and says its formula", () => {
    expect(metric.metric).toBe(path);
    expect(metric.formula).toMatch(/\S/);
    expect(typeof metric.higherIsBetter).toBe("boolean");
  });

  test("gives a number or the reason why there is none, the same each time, and changes no log", () => {
    for (const events of logs) {
      const first = metric(events);
      expect(metric(events)).toEqual(first);
      if (first.value === undefined) expect(first.why).toMatch(/\w/);
      else expect(first.value).not.toBeNaN();
    }
  });
});

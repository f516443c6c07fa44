import { describe, expect, test } from "vitest";
import {
  averageAccuracy,
  comparisonTable,
  forgetting,
  pairedComparison,
  pairedTTest,
} from "../../lib/metrics/index.ts";
import { logOf } from "./logs.ts";

const seeds = (finals: readonly number[]) => finals.map((final) => logOf([[final]]));
const scores = {
  naive: [0.2, 0.25, 0.22, 0.19, 0.24, 0.21],
  replay: [0.8, 0.84, 0.81, 0.79, 0.85, 0.83],
  ewc: [0.21, 0.24, 0.23, 0.2, 0.25, 0.2],
};
const table = comparisonTable(
  Object.fromEntries(Object.entries(scores).map(([name, values]) => [name, seeds(values)])),
  {
    metrics: [averageAccuracy, forgetting.chaudhry],
  },
);

describe("a paired comparison", () => {
  test("has the smallest p that six seeds allow for a clear difference, doubled by the correction", () => {
    const [replay, ewc] = pairedComparison(table).rows();
    expect(replay).toMatchObject({
      metric: "averageAccuracy",
      method: "replay",
      reference: "naive",
      p: 2 / 64,
      corrected: 4 / 64,
    });
    expect(replay!.difference).toBeCloseTo(0.6016667, 6);
    // Six differences of one hundredth that sum to two: every pattern of signs reaches that but the 20 that sum to zero.
    expect(ewc!.p).toBeCloseTo(44 / 64, 12);
  });

  test("can be Student's, against any method", () => {
    const rows = pairedComparison(table, { reference: "ewc", test: "t" }).rows();
    expect(rows.slice(0, 2).map((row) => row.method)).toEqual(["naive", "replay"]);
    expect(rows[1]!.p).toBeCloseTo(pairedTTest(scores.replay, scores.ewc).p, 12);
  });

  test("leaves out what is not defined", () => {
    const rows = pairedComparison(table)
      .rows()
      .filter((row) => row.metric === "forgetting.chaudhry");
    expect(rows.map((row) => row.p)).toEqual([null, null]);
  });

  test("names the methods there are when asked for another", () => {
    expect(() => pairedComparison(table, { reference: "joint" })).toThrow("got joint; it has naive, replay, ewc");
  });
});

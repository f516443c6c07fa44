import { describe, expect, test } from "vitest";
import {
  bootstrapInterval,
  criticalDifference,
  holm,
  pairedTTest,
  permutationTest,
  tInterval,
} from "../../lib/metrics/index.ts";
import {
  chiSquareTail,
  fisherTail,
  incompleteBeta,
  incompleteGamma,
  logGamma,
  normalQuantile,
  normalShare,
  studentizedRangeQuantile,
  studentQuantile,
} from "../../lib/metrics/parts/distributions.ts";

describe("Student's distribution", () => {
  test("has closed forms for one and two degrees of freedom", () => {
    expect(studentQuantile(0.975, 1)).toBeCloseTo(Math.tan(0.475 * Math.PI), 10);
    expect(studentQuantile(0.975, 2)).toBeCloseTo(0.95 * Math.sqrt(2 / (4 * 0.975 * 0.025)), 11);
  });

  test.each([
    [4, 2.7764451051977987],
    [9, 2.2621571627409915],
    [29, 2.045229642132703],
  ])("agrees with SciPy to nine digits with %d", (degrees, expected) => {
    expect(studentQuantile(0.975, degrees)).toBeCloseTo(expected, 9);
  });
});

describe("distributions agree with SciPy 1.10", () => {
  test("the normal, chi-square, F, beta and gamma functions", () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 10);
    expect(normalShare(-1.5)).toBeCloseTo(0.06680720126885807, 13);
    expect(chiSquareTail(7.3, 3)).toBeCloseTo(0.06292623645904312, 12);
    expect(fisherTail(4.2, 3, 12)).toBeCloseTo(0.030102077575266645, 12);
    expect(incompleteBeta(2.5, 0.5, 0.3)).toBeCloseTo(0.01892712407194565, 13);
    expect(incompleteGamma(1.5, 2.2)).toBeCloseTo(0.7786146128105121, 13);
    expect(logGamma(7.3)).toBeCloseTo(7.147892523022249, 12);
  });

  test.each([
    [2, 1.9599639845400534],
    [3, 2.343700586378409],
    [4, 2.569031772546482],
    [5, 2.7277743708703763],
    [10, 3.163683577053373],
  ])("Nemenyi's 5%% value for %d methods", (methods, expected) => {
    expect(studentizedRangeQuantile(0.95, methods) / Math.SQRT2).toBeCloseTo(expected, 6);
  });
});

describe("intervals", () => {
  test("Student's interval of five values", () => {
    const { mean, low, high, n } = tInterval([1, 2, 3, 4, 5]);
    const half = (2.7764451051977987 * Math.sqrt(2.5)) / Math.sqrt(5);
    expect([mean, n]).toEqual([3, 5]);
    expect(low).toBeCloseTo(3 - half, 10);
    expect(high).toBeCloseTo(3 + half, 10);
  });

  test("a single value has no interval", () => {
    expect(tInterval([0.5])).toEqual({ mean: 0.5, low: Number.NaN, high: Number.NaN, n: 1 });
  });

  test("a bootstrap interval is the same for the same seed and close to the normal one for many values", () => {
    const values = Array.from({ length: 400 }, (_, index) => Math.sin(index) + index / 400);
    const first = bootstrapInterval(values, { resamples: 2000 });
    expect(bootstrapInterval(values, { resamples: 2000 })).toEqual(first);
    const exact = tInterval(values);
    expect(Math.abs(first.low - exact.low)).toBeLessThan(0.02);
    expect(Math.abs(first.high - exact.high)).toBeLessThan(0.02);
  });
});

describe("paired tests", () => {
  const a = [0.82, 0.85, 0.84, 0.88, 0.79, 0.91];
  const b = [0.8, 0.81, 0.83, 0.86, 0.8, 0.84];

  test("Student's agrees with SciPy", () => {
    expect(pairedTTest(a, b).p).toBeCloseTo(0.07558681842161269, 10);
  });

  test("the exact permutation test agrees with SciPy", () => {
    expect(permutationTest(a, b)).toMatchObject({ p: 0.09375, test: "exact paired permutation test" });
  });

  test("five seeds cannot give less than a sixteenth, however clear the difference", () => {
    expect(permutationTest([9, 9, 9, 9, 9], [0, 1, 2, 3, 4]).p).toBe(2 / 32);
  });

  test("beyond twenty pairs signs are drawn, the same for the same seed", () => {
    const many = Array.from({ length: 30 }, (_, index) => Math.sin(index * 7.3) + 0.4);
    const none = many.map(() => 0);
    const { p } = permutationTest(many, none);
    expect(p).toBe(permutationTest(many, none).p);
    expect(Math.abs(p - pairedTTest(many, none).p)).toBeLessThan(0.005);
  });

  test("equal methods differ with probability one", () => {
    expect(permutationTest(a, a).p).toBe(1);
    expect(pairedTTest(a, a).p).toBe(1);
  });

  test("runs that are not paired are refused", () => {
    expect(() => pairedTTest([1], [1, 2])).toThrow("a value of both methods for each seed is required, got 1 and 2");
  });

  test("Holm's correction multiplies the smallest p by the number of tests and never lets a later one fall below", () => {
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  });
});

describe("ranks over blocks", () => {
  const scores = {
    naive: [0.2, 0.3, 0.2, 0.1, 0.5],
    ewc: [0.3, 0.4, 0.25, 0.2, 0.4],
    replay: [0.8, 0.7, 0.9, 0.8, 0.9],
    derpp: [0.75, 0.71, 0.8, 0.85, 0.7],
  };

  test("Friedman's test agrees with SciPy", () => {
    const { friedman, ranks } = criticalDifference(scores);
    expect(friedman.statistic).toBeCloseTo(12.6, 10);
    expect(friedman.p).toBeCloseTo(0.005586546097302403, 10);
    expect(ranks).toEqual([3.8, 3.2, 1.4, 1.6]);
  });

  test("the critical difference is Demšar's: q √(k(k+1)/(6N))", () => {
    expect(criticalDifference(scores).difference).toBeCloseTo(2.569031772546482 * Math.sqrt(20 / 30), 6);
  });

  test("groups join the methods that are closer than that, best first, none within another", () => {
    // Mean ranks 1.4, 1.6, 3.2 and 3.8 with a critical difference of 2.098: replay and naive differ, derpp and naive as well (2.2).
    expect(criticalDifference(scores).groups).toEqual([
      ["replay", "derpp", "ewc"],
      ["ewc", "naive"],
    ]);
  });

  test("ties share their ranks", () => {
    expect(criticalDifference({ a: [1, 1], b: [1, 1], c: [0, 0] }).ranks).toEqual([1.5, 1.5, 3]);
  });

  test("lower is better when said", () => {
    expect(criticalDifference({ a: [0.1, 0.2], b: [0.5, 0.6] }, { higherIsBetter: false }).ranks).toEqual([1, 2]);
  });
});

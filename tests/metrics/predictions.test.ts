import { describe, expect, test } from "vitest";
import { random } from "../../lib/engine/index.ts";
import {
  accuracyByLevel,
  calibration,
  confusion,
  curvePosterior,
  extrapolation,
  fisherRatio,
  hCalibration,
  learningCurve,
  linearProbe,
  meanAveragePrecision,
  persistence,
  recencyBias,
} from "../../lib/metrics/index.ts";
import { matrixOf } from "../../lib/metrics/parts/linear-algebra.ts";

describe("calibration", () => {
  const probabilities = matrixOf([
    [0.95, 0.05],
    [0.85, 0.15],
    [0.45, 0.55],
    [0.3, 0.7],
  ]);

  test("bins by the confidence of the prediction", () => {
    const found = calibration(probabilities, [0, 1, 1, 1], { bins: 2 });
    expect(found.bins.map(({ count }) => count)).toEqual([0, 4]);
    expect(found.expected).toBeCloseTo(Math.abs(3 / 4 - (0.95 + 0.85 + 0.55 + 0.7) / 4), 12);
  });

  test("weighs bins by their examples and knows the worst", () => {
    const found = calibration(probabilities, [0, 1, 1, 1], { bins: 10 });
    expect(found.expected).toBeCloseTo((0.05 + 0.85 + 0.45 + 0.3) / 4, 12);
    expect(found.maximum).toBeCloseTo(0.85, 12);
  });

  test("gives Brier score and log loss", () => {
    const found = calibration(probabilities, [0, 1, 1, 1]);
    expect(found.brier).toBeCloseTo((2 * (0.05 ** 2 + 0.85 ** 2 + 0.45 ** 2 + 0.3 ** 2)) / 4, 12);
    expect(found.logLoss).toBeCloseTo(-(Math.log(0.95) + Math.log(0.15) + Math.log(0.55) + Math.log(0.7)) / 4, 12);
  });

  test("is zero for certainty that is right", () => {
    const certain = calibration(
      matrixOf([
        [1, 0],
        [0, 1],
      ]),
      [0, 1],
    );
    expect(
      [certain.expected, certain.maximum, certain.classwise, certain.brier, certain.logLoss].map(Math.abs),
    ).toEqual([0, 0, 0, 0, 0]);
  });
});

describe("the error bound of h-calibration", () => {
  // In order: 0.05 and 0.15 (neither true), 0.3 (not), 0.45 (not), 0.55, 0.7, 0.85 and 0.95 (all true).
  const probabilities = matrixOf([
    [0.95, 0.05],
    [0.85, 0.15],
    [0.45, 0.55],
    [0.3, 0.7],
  ]);
  const labels = [0, 0, 1, 1];

  test("is the largest distance of a window's mean from what came true", () => {
    const found = hCalibration(probabilities, labels, { window: 2 });
    const distances = [0.1, 0.225, 0.375, (0.45 - 0.45) / 2, 0.375, 0.225, 0.1];
    expect(found.bound).toBeCloseTo(0.375, 12);
    expect(found.mean).toBeCloseTo(distances.reduce((sum, value) => sum + value) / 7, 12);
    const beyond = hCalibration(probabilities, labels, { window: 2, epsilon: 0.2 });
    expect(beyond.excess).toBeCloseTo((2 * 0.025 + 2 * 0.175) / 7, 12);
  });

  test("is the least tolerance that nothing exceeds", () => {
    const { bound } = hCalibration(probabilities, labels, { window: 3 });
    expect(hCalibration(probabilities, labels, { window: 3, epsilon: bound }).excess).toBe(0);
    expect(hCalibration(probabilities, labels, { window: 3, epsilon: bound - 1e-6 }).excess).toBeGreaterThan(0);
  });

  test("is small for outcomes drawn from the probabilities, and large for certainty that is wrong", () => {
    const rng = random(1);
    const sure = Array.from({ length: 4000 }, () => rng.uniform());
    const drawn = sure.map((p) => (rng.uniform() < p ? 0 : 1));
    const rows = matrixOf(sure.map((p) => [p, 1 - p]));
    expect(hCalibration(rows, drawn).bound).toBeLessThan(0.15);
    expect(
      hCalibration(
        rows,
        drawn.map((label) => 1 - label),
      ).bound,
    ).toBeGreaterThan(0.8);
  });

  test("says what is wrong", () => {
    expect(() => hCalibration(probabilities, [0])).toThrow("a label for each of 4 examples is required, got 1");
    expect(() => hCalibration(probabilities, labels, { window: 0 })).toThrow("got 0; 201 is usual");
  });
});

describe("the posterior of a learning curve", () => {
  const law = (size: number): number => 0.9 - 2 * size ** -0.5;
  const exact = [100, 200, 400, 800, 1600].map((size) => [size, law(size)] as const);

  test("knows a law that holds exactly", () => {
    const { mean, low, high } = curvePosterior(exact).predict(25600);
    expect(mean).toBeCloseTo(law(25600), 2);
    expect(high - low).toBeLessThan(0.03);
    expect(curvePosterior(exact).predict(25600)).toEqual(curvePosterior(exact).predict(25600));
  });

  test("holds the truth as often as it says, for curves of both kinds under noise", () => {
    const rng = random(5);
    const trials = 120;
    let held = 0;
    for (let trial = 0; trial < trials; trial++) {
      const [limit, rise] = [0.6 + 0.3 * rng.uniform(), 0.3 + 0.2 * rng.uniform()];
      const truth = (x: number): number => limit - rise * (trial % 2 === 0 ? 0.1 / x : Math.exp(-3 * x));
      const points = Array.from({ length: 12 }, (_, i) => (i + 1) / 12).map(
        (x) => [x, truth(x) + 0.01 * rng.normal()] as const,
      );
      const { low, high } = curvePosterior(points, { draws: 300, seed: trial }).predict(1.5);
      if (low <= truth(1.5) && truth(1.5) <= high) held++;
    }
    expect(held / trials).toBeGreaterThan(0.8);
    expect(held / trials).toBeLessThan(0.995);
  });

  test("is less sure far away, and gives the probability of getting there", () => {
    const rng = random(2);
    const noisy = exact.map(([size, y]) => [size, y + 0.01 * rng.normal()] as const);
    const found = curvePosterior(noisy);
    const spread = (size: number): number => found.predict(size).high - found.predict(size).low;
    expect(spread(1e5)).toBeGreaterThan(spread(2000));
    expect(found.probabilityAbove(25600, 0.5)).toBeGreaterThan(0.95);
    expect(found.probabilityAbove(25600, 0.99)).toBeLessThan(0.2);
  });

  test("says what is wrong", () => {
    expect(() => curvePosterior(exact.slice(0, 3))).toThrow(
      "four points or more at three sizes above 0 are required, got 3 at 3",
    );
    expect(() => curvePosterior(exact.map(([size, y]) => [size, 1.2 - y] as const))).toThrow(
      "a curve that rises to a limit",
    );
  });
});

describe("confusion", () => {
  const found = confusion([0, 0, 0, 1, 1, 2], [0, 1, 0, 1, 1, 1], 4);

  test("counts truth by row and prediction by column", () => {
    expect(found.counts).toEqual([
      [2, 1, 0, 0],
      [0, 2, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 0, 0],
    ]);
    expect(found.accuracy).toBeCloseTo(4 / 6, 12);
    expect(found.recall).toEqual([2 / 3, 1, 0, Number.NaN]);
    expect(found.precision.slice(0, 2)).toEqual([1, 0.5]);
    expect(found.f1).toEqual([0.8, 2 / 3, 0, 0]);
    expect(found.balancedAccuracy).toBeCloseTo((2 / 3 + 1 + 0) / 3, 12);
  });

  test("recency bias is the surplus of predictions on the last classes", () => {
    expect(recencyBias(found, [1])).toBeCloseTo(4 / 6 - 2 / 6, 12);
  });

  test("a class that is not there is refused", () => {
    expect(() => confusion([0], [5], 2)).toThrow("classes from 0 to 1 are required, got 0 taken for 5 at 0");
  });
});

describe("ranking and levels", () => {
  test("mean average precision is the mean over labels of precision at each hit", () => {
    const scores = matrixOf([
      [0.9, 0.1],
      [0.8, 0.9],
      [0.7, 0.2],
      [0.6, 0.8],
    ]);
    const truth = matrixOf([
      [1, 0],
      [0, 1],
      [1, 1],
      [0, 0],
    ]);
    expect(meanAveragePrecision(scores, truth)).toBeCloseTo(((1 + 2 / 3) / 2 + (1 + 2 / 3) / 2) / 2, 12);
  });

  test("examples with one score are ranked together, whatever their order", () => {
    const scores = matrixOf([[0.5], [0.5], [0.5], [0.1]]);
    expect(meanAveragePrecision(scores, matrixOf([[1], [0], [0], [1]]))).toBeCloseTo((1 / 3 + 2 / 4) / 2, 12);
    expect(meanAveragePrecision(scores, matrixOf([[0], [0], [1], [1]]))).toBeCloseTo((1 / 3 + 2 / 4) / 2, 12);
  });

  test("accuracy by level forgives mistakes within a branch", () => {
    expect(
      accuracyByLevel(
        [0, 1, 2, 3],
        [1, 1, 3, 0],
        [
          [0, 0, 1, 1],
          [0, 1, 2, 3],
        ],
      ),
    ).toEqual([0.75, 0.25]);
  });
});

describe("separability", () => {
  test("Fisher's ratio is the scatter between over the scatter within", () => {
    const features = matrixOf([
      [0, 0],
      [2, 0],
      [0, 4],
      [2, 4],
    ]);
    expect(fisherRatio(features, [0, 0, 1, 1])).toBeCloseTo(16 / 4, 12);
  });

  test("persistence times are the edges of SciPy's minimum spanning tree", () => {
    const points = matrixOf([
      [0.846, 0.378],
      [0.092, 0.653],
      [0.558, 0.362],
      [0.225, 0.407],
      [0.469, 0.269],
      [0.292, 0.458],
      [0.861, 0.586],
    ]);
    const expected = [
      0.08420213774008355, 0.1287245120402482, 0.20854016399725014, 0.258940147524481, 0.27932955446926844,
      0.28844410203711907,
    ];
    for (const [index, time] of persistence(points).times.entries()) expect(time).toBeCloseTo(expected[index]!, 12);
  });

  test("clusters far apart score lower than points spread evenly", () => {
    const clusters = persistence(matrixOf([[0], [1], [2], [100], [101], [102]]));
    const even = persistence(matrixOf([[0], [1], [2], [3], [4], [5]]));
    expect(clusters.score).toBeCloseTo((4 / 98 + 1) / 5, 12);
    expect(even.score).toBe(1);
  });
});

describe("a linear probe", () => {
  test("reads out what a hyperplane separates", () => {
    const features = matrixOf([
      [0, 0],
      [0, 1],
      [1, 0],
      [5, 5],
      [5, 6],
      [6, 5],
    ]);
    const probe = linearProbe(features, [0, 0, 0, 1, 1, 1], 2);
    expect(probe.accuracy(features, [0, 0, 0, 1, 1, 1])).toBe(1);
    expect(
      Array.from(
        probe.predict(
          matrixOf([
            [1, 1],
            [4, 5],
          ]),
        ),
      ),
    ).toEqual([0, 1]);
  });

  test("cannot read out what is not linear", () => {
    const xor = matrixOf([
      [0, 0],
      [1, 1],
      [0, 1],
      [1, 0],
    ]);
    expect(linearProbe(xor, [0, 0, 1, 1], 2).accuracy(xor, [0, 0, 1, 1])).toBeLessThan(1);
  });
});

describe("learning curves", () => {
  const exact = (size: number): number => 0.93 - 1.7 * size ** -0.41;
  const points = [50, 100, 200, 400, 800, 1600, 3200].map((size) => [size, exact(size)] as const);

  test("a power law is found again", () => {
    const curve = learningCurve(points);
    expect(curve.limit).toBeCloseTo(0.93, 6);
    expect(curve.a).toBeCloseTo(1.7, 4);
    expect(curve.b).toBeCloseTo(0.41, 5);
    expect(curve.predict(100_000)).toBeCloseTo(exact(100_000), 6);
  });

  test("noise moves the limit less than the noise, and is reported", () => {
    const noisy = points.map(([size, value], index) => [size, value + (index % 2 === 0 ? 0.002 : -0.002)] as const);
    const curve = learningCurve(noisy);
    expect(Math.abs(curve.limit - 0.93)).toBeLessThan(0.02);
    expect(curve.error).toBeGreaterThan(0.001);
    expect(curve.error).toBeLessThan(0.003);
  });

  test("a limit that keeps moving is not reliable", () => {
    const wild = [0.1, 0.5, 0.2, 0.9, 0.3, 0.8, 0.1].map((value, index) => [index + 1, value] as const);
    expect(extrapolation(wild).reliableFrom).toBeUndefined();
    expect(extrapolation(points).reliableFrom).toBe(400);
  });

  test("two sizes are not enough", () => {
    expect(() =>
      learningCurve([
        [1, 0.1],
        [1, 0.2],
        [2, 0.3],
      ]),
    ).toThrow("points at three or more different sizes above 0 are required, got 2");
  });
});

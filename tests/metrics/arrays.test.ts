import { describe, expect, test } from "vitest";
import {
  accuracyByLevel,
  approximateRank,
  calibration,
  cka,
  confusion,
  convergentMatching,
  dormantUnits,
  effectiveRank,
  extrapolation,
  fisherRatio,
  learningCurve,
  linearProbe,
  meanAveragePrecision,
  networkProbes,
  persistence,
  recencyBias,
  stableRank,
  weightMagnitude,
} from "../../lib/metrics/index.ts";
import { assignment } from "../../lib/metrics/parts/assignment.ts";
import {
  matrixOf,
  singularValues,
  solvePositive,
  symmetricEigenvalues,
} from "../../lib/metrics/parts/linear-algebra.ts";

const X = matrixOf([
  [1, 2, 0],
  [0, 1, 3],
  [2, 2, 1],
  [1, 0, 1],
  [3, 1, 2],
]);
const Y = matrixOf([
  [2, 1],
  [0, 1],
  [1, 3],
  [2, 2],
  [5, 0],
]);

describe("linear algebra", () => {
  test("singular values agree with NumPy", () => {
    const expected = [5.50669244163947, 2.553506847079108, 1.7764968716861984];
    for (const [index, value] of singularValues(X).entries()) expect(value).toBeCloseTo(expected[index]!, 10);
  });

  test("the eigenvalues of the second difference are 2 − 2 cos(kπ/(n+1))", () => {
    const n = 30;
    const rows = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0)),
    );
    const expected = Array.from({ length: n }, (_, k) => 2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1)));
    for (const [index, value] of symmetricEigenvalues(matrixOf(rows)).entries())
      expect(value).toBeCloseTo(expected[index]!, 10);
  });

  test("a dense symmetric matrix keeps its trace and its sum of squares in its eigenvalues", () => {
    const n = 25;
    const rows = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Math.sin(i * j + i + j)));
    const values = symmetricEigenvalues(matrixOf(rows));
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(
      rows.reduce((sum, row, i) => sum + row[i]!, 0),
      9,
    );
    expect(values.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(
      rows.flat().reduce((sum, value) => sum + value ** 2, 0),
      8,
    );
  });

  test("Cholesky solves what it is given", () => {
    const solved = solvePositive(
      matrixOf([
        [4, 2],
        [2, 3],
      ]),
      matrixOf([
        [2, 8],
        [1, 7],
      ]),
    );
    expect(Array.from(solved.data).map((value) => Number(value.toFixed(12)))).toEqual([0.5, 1.25, 0, 1.5]);
    expect(() =>
      solvePositive(
        matrixOf([
          [1, 2],
          [2, 1],
        ]),
        matrixOf([[1], [1]]),
      ),
    ).toThrow("positive definite");
  });

  test("the assignment agrees with SciPy", () => {
    const costs = [
      [10, 3, 8, 0, 19, 10, 11],
      [9, 10, 6, 0, 12, 7, 14],
      [17, 2, 2, 1, 19, 5, 8],
      [14, 1, 10, 7, 11, 1, 15],
      [16, 5, 17, 14, 0, 0, 9],
    ];
    expect(assignment(costs)).toEqual([1, 3, 2, 5, 4]);
  });
});

describe("plasticity", () => {
  test("dormant units are those below a share of the layer's mean response", () => {
    const activations = matrixOf([
      [0, 1, 0.01, 2],
      [0, 1, 0, 2],
    ]);
    expect(dormantUnits(activations)).toBe(0.25);
    expect(dormantUnits(activations, { threshold: 0.01 })).toBe(0.5);
    expect(dormantUnits(matrixOf([[0, 0]]))).toBe(1);
  });

  test("effective and stable rank agree with NumPy", () => {
    expect(effectiveRank(X)).toBeCloseTo(2.6750417630461127, 9);
    expect(stableRank(X)).toBeCloseTo(1.3191019101154264, 10);
  });

  test("features on a line have rank one by every measure, and no features rank zero", () => {
    const line = matrixOf([
      [1, 2, 3],
      [2, 4, 6],
      [-1, -2, -3],
    ]);
    for (const rank of [effectiveRank, stableRank, approximateRank]) {
      expect(rank(line)).toBeCloseTo(1, 6);
      expect(rank(matrixOf([[0, 0]]))).toBe(0);
    }
  });

  test("the approximate rank counts the directions that hold 99% of the squares", () => {
    const diagonal = matrixOf([
      [10, 0, 0],
      [0, 3, 0],
      [0, 0, 0.5],
    ]);
    expect(approximateRank(diagonal)).toBe(2);
    expect(approximateRank(diagonal, { share: 1 })).toBe(3);
  });

  test("a table of another size than it says is refused", () => {
    expect(() => effectiveRank({ data: [1, 2, 3], rows: 2, columns: 2 })).toThrow(
      "effectiveRank: 2 × 2 numbers are required, got 3",
    );
  });

  test("weight magnitude is the mean absolute weight", () => {
    expect(weightMagnitude(new Float32Array([1, -3]))).toBe(2);
  });
});

describe("probes of a network", () => {
  test("are the same quantities by layer, ranks taken of some rows", () => {
    const rows = Array.from({ length: 1000 }, (_, row) => [Math.sin(row), Math.cos(3 * row), 0, 2]);
    const found = networkProbes({ activations: { hidden: matrixOf(rows) }, weights: { dense: X } }, { rows: 100 });
    expect(found.map(({ name, layer }) => `${name} ${layer}`)).toEqual([
      "dormantUnits hidden",
      "effectiveRank hidden",
      "stableRank dense",
      "weightMagnitude dense",
    ]);
    const chosen = rows.filter((_, row) => row % 10 === 0);
    expect(found.map(({ value }) => value)).toEqual([0.25, effectiveRank(matrixOf(chosen)), stableRank(X), 20 / 15]);
  });

  test("of a layer of 400 units take milliseconds", () => {
    const layer = {
      data: Float32Array.from({ length: 256 * 400 }, (_, index) => Math.max(0, Math.sin(index * 12.9898))),
      rows: 256,
      columns: 400,
    };
    networkProbes({ activations: { layer } });
    const start = performance.now();
    networkProbes({ activations: { layer } });
    expect(performance.now() - start).toBeLessThan(250);
  });
});

describe("representations", () => {
  test("linear CKA agrees with NumPy", () => {
    expect(cka(X, Y)).toBeCloseTo(0.4058799634997396, 10);
  });

  test("CKA does not see rotation, scale or shift", () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const turned = matrixOf(
      Array.from({ length: 5 }, (_, i) => {
        const [a, b] = [Y.data[2 * i]!, Y.data[2 * i + 1]!];
        return [3 * (c * a - s * b) + 1, 3 * (s * a + c * b) - 2];
      }),
    );
    expect(cka(Y, turned)).toBeCloseTo(1, 12);
  });

  test("matching gives every unit its own partner, or its best one", () => {
    const ramp = matrixOf([
      [1, 4],
      [2, 3],
      [3, 1],
      [4, 2],
    ]);
    const twins = matrixOf([
      [1, 1, 1],
      [2, 2, 0],
      [3, 3, 1],
      [4, 5, 0],
    ]);
    expect(convergentMatching(twins, ramp, { kind: "semi" }).partners).toEqual([0, 0, 1]);
    const { partners, correlations } = convergentMatching(ramp, twins);
    expect(partners).toEqual([0, 2]);
    expect(correlations[0]).toBeCloseTo(1, 12);
    expect(correlations[1]).toBeCloseTo(0, 12);
    expect(() => convergentMatching(twins, ramp)).toThrow(
      "at most as many units in the first layer as in the second are required, got 3 and 2",
    );
  });

  test("different examples are refused", () => {
    expect(() => cka(X, matrixOf([[1], [2]]))).toThrow(
      "the same examples in both representations are required, got 5 and 2 rows",
    );
  });
});

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

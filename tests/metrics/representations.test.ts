import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { mapTensors, random, tf } from "../../lib/engine/index.ts";
import { cka, convergentMatching, layerChange, rsa } from "../../lib/metrics/index.ts";
import { assignment } from "../../lib/metrics/parts/assignment.ts";
import {
  matrixOf,
  singularValues,
  solvePositive,
  symmetricEigenvalues,
} from "../../lib/metrics/parts/linear-algebra.ts";
import { mlp, network, trained } from "../../lib/models/index.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import {
  approximateRank,
  dormantUnits,
  effectiveRank,
  networkProbes,
  stableRank,
  weightMagnitude,
} from "../../lib/train/probes/index.ts";

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
    const found = networkProbes({ activations: { hidden: matrixOf(rows) }, weights: { dense: X.data } }, { rows: 100 });
    expect(found.map(({ name, layer }) => `${name} ${layer}`)).toEqual([
      "dormantUnits hidden",
      "effectiveRank hidden",
      "stableRank hidden",
      "weightMagnitude dense",
    ]);
    const chosen = matrixOf(rows.filter((_, row) => row % 10 === 0));
    const values = [0.25, effectiveRank(chosen), stableRank(chosen), 20 / 15];
    expect(found.map(({ value }) => value)).toEqual(values);
  });
});

describe("representations", () => {
  test("linear CKA agrees with NumPy", () => {
    expect(cka(X, Y)).toBeCloseTo(0.4058799634997396, 10);
    expect(rsa(X, Y)).toBeCloseTo(-0.10920456475066945, 10);
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

test("the change of a network, P219: layers below a replaced one are the same, layers above it are not, and probes lose with it", () => {
  const { train } = classes(blobs({ classes: 3, dimensions: 4, perClass: 20 })).experience(0);
  const model = mlp({ hidden: [8, 6, 5] });
  const weights = network(model, [4]).init(random(1), 3);
  const before = trained({ model, input: [4], weights });
  const empty = mapTensors((t: tf.Tensor) => tf.zerosLike(t), weights.model["4-dense"]!);
  const after = trained({ model, input: [4], weights: { ...weights, model: { ...weights.model, "4-dense": empty } } });
  const [first, second, third] = layerChange(before, after, train);
  expect(first).toMatchObject({ layer: "2-dense", rsa: expect.closeTo(1, 10), cka: expect.closeTo(1, 10) });
  expect(first!.probe![0]).toBe(first!.probe![1]);
  expect(second).toMatchObject({ layer: "4-dense", rsa: 0, cka: 0 });
  expect(third!.rsa).toBe(0);
  expect(third!.probe![1]).toBeCloseTo(1 / 3, 1);
  expect(third!.probe![0]).toBeGreaterThan(0.6);
});

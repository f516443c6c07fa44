import { describe, expect, test } from "vitest";
import { matrixOf } from "../../lib/metrics/parts/linear-algebra.ts";
import { principalComponents } from "../../lib/plots/parts/principal-components.ts";
import { tsne } from "../../lib/plots/parts/tsne.ts";
import { umap } from "../../lib/plots/parts/umap.ts";
import { randomly } from "./runs.ts";

describe("principal components", () => {
  const features = [
    [1, 2, 0, 1],
    [0, 1, 3, 2],
    [2, 2, 1, 0],
    [1, 0, 1, 5],
    [3, 1, 2, 1],
    [0, 0, 0, 2],
  ];

  test("agree with NumPy's singular value decomposition", () => {
    const { points, shares } = principalComponents(matrixOf(features), 2);
    expect(points.map((point) => point.map((value) => Number(value.toFixed(4))))).toEqual([
      [-1.0347, 1.2825],
      [0.5129, -1.2562],
      [-2.2391, 0.1342],
      [3.1654, -0.2749],
      [-1.3381, -1.3361],
      [0.9336, 1.4505],
    ]);
    expect(shares[0]).toBeCloseTo(0.585509575002671, 9);
    expect(shares[1]).toBeCloseTo(0.22171107591968217, 9);
  });

  test("are the same with more features than examples", () => {
    const wide = features.map((row) => [...row, ...row, ...row, ...row]);
    const { points, shares } = principalComponents(matrixOf(wide), 2);
    const narrow = principalComponents(matrixOf(features), 2);
    for (const [row, point] of points.entries()) {
      expect(point[0]).toBeCloseTo(2 * narrow.points[row]![0], 6);
      expect(point[1]).toBeCloseTo(2 * narrow.points[row]![1], 6);
    }
    expect(shares[0]).toBeCloseTo(narrow.shares[0]!, 9);
  });
});

/** Six clusters that no plane separates, ten rows each. */
function clusters() {
  const random = randomly(21);
  const rows = 60;
  const cluster = (row: number): number => row % 6;
  const features = matrixOf(
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: 6 }, (_, axis) => (cluster(row) === axis ? 8 : 0) + random()),
    ),
  );
  return { rows, cluster, features };
}

/** How many rows have their nearest neighbour in their own cluster. */
function together(placed: readonly (readonly [number, number])[], cluster: (row: number) => number): number {
  const nearest = placed.map(([x, y], row) => {
    const distances = placed.map(([a, b], other) =>
      other === row ? Number.POSITIVE_INFINITY : Math.hypot(a - x, b - y),
    );
    return distances.indexOf(Math.min(...distances));
  });
  return nearest.filter((other, row) => cluster(other) === cluster(row)).length;
}

test("t-SNE keeps the neighbours of clusters that no plane separates, and is the same each time", () => {
  const { rows, cluster, features } = clusters();
  const { points } = principalComponents(features, 2);
  const placed = tsne(features, points, { perplexity: 6, rounds: 500 });
  expect(together(placed, cluster)).toBe(rows);
  expect(tsne(features, points, { perplexity: 6, rounds: 500 })).toEqual(placed);
});

test("UMAP keeps them too, and is the same for the same seed", () => {
  const { rows, cluster, features } = clusters();
  const placed = umap(features, { neighbours: 6, seed: 3 });
  expect(together(placed, cluster)).toBe(rows);
  expect(umap(features, { neighbours: 6, seed: 3 })).toEqual(placed);
  expect(umap(features, { neighbours: 6, seed: 4 })).not.toEqual(placed);
});

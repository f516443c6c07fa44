/** UMAP by the package umap-js, where it is installed. */
import { createRequire } from "node:module";
import { random } from "../../engine/random.ts";
import type { Matrix } from "../../metrics/parts/linear-algebra.ts";

/** What is used of umap-js. */
interface UmapJs {
  readonly UMAP: new (options: {
    readonly nComponents: number;
    readonly nNeighbors: number;
    readonly minDist: number;
    readonly random: () => number;
  }) => { fit(rows: number[][]): number[][] };
}

/** Places rows in the plane so that neighbours stay neighbours; the same rows and seed give the same places. */
export function umap(
  { data, rows, columns }: Matrix,
  { neighbours = 15, seed = 0 }: { readonly neighbours?: number; readonly seed?: number } = {},
): [number, number][] {
  const points = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => data[row * columns + column]!),
  );
  const rng = random(seed).at("umap");
  const { UMAP } = umapJs();
  const nNeighbors = Math.max(2, Math.min(neighbours, rows - 1));
  const placed = new UMAP({ nComponents: 2, nNeighbors, minDist: 0.1, random: () => rng.uniform() }).fit(points);
  return placed.map(([x, y]) => [x!, y!]);
}

function umapJs(): UmapJs {
  const name = "umap-js";
  try {
    return createRequire(import.meta.url)(name) as UmapJs;
  } catch (error) {
    throw new Error(
      `embedding: the package ${name} is required for UMAP, got none; install it with npm install ${name}`,
      {
        cause: error,
      },
    );
  }
}

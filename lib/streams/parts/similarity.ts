/** An order of classes by how alike they are. */
import { type Examples, gather, sizeOf } from "../../data/dataset.ts";
import { byClass } from "../../data/parts/stratified.ts";

/**
 * A path through the classes from the first one, each time to the class whose mean example is nearest to the last one's ("similar") or
 * farthest from it ("different"), by Euclidean distance.
 */
export function byLikeness(of: Examples, columns: readonly number[], by: "similar" | "different"): number[] {
  const means = new Map(
    columns.map((column) => [column, meanOf(of, byClass(of.labels).get(column) ?? new Uint32Array(0))]),
  );
  const left = new Set(columns);
  const path: number[] = [];
  let last = columns[0];
  while (last !== undefined) {
    path.push(last);
    left.delete(last);
    const from = means.get(last)!;
    let best = Infinity;
    last = undefined;
    for (const column of left) {
      const apart = distance(from, means.get(column)!) * (by === "similar" ? 1 : -1);
      if (apart < best) [best, last] = [apart, column];
    }
  }
  return path;
}

function meanOf(of: Examples, at: Uint32Array): Float64Array {
  const size = sizeOf(of.shape);
  const mean = new Float64Array(size);
  for (let start = 0; start < at.length; start += 256) {
    const some = at.subarray(start, start + 256);
    const batch = gather(of, some);
    for (let i = 0; i < some.length * size; i++) mean[i % size]! += batch[i]! / at.length;
  }
  return mean;
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

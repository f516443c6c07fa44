/** Vectors that are fixed before anything is learnt, as far from each other as so many can be. */
import type { Rng } from "../../engine/index.ts";

/**
 * The vertices of a simplex in a random direction, `count` rows of length 1 one after the other: any two have the inner product `−1 / (count − 1)`, a simplex
 * equiangular tight frame. A single vertex is a random direction.
 *
 * @throws RangeError where the width is less than `count − 1`, in which so many do not fit.
 */
export function simplex(where: string, count: number, width: number, rng: Rng): Float32Array {
  const axes = Math.max(1, count - 1);
  if (width < axes)
    throw new RangeError(
      `${where}: features of at least ${axes} numbers are required for the fixed vectors of ${count} classes, got ${width}; take a model with a wider last layer`,
    );
  const frame = orthonormal(axes, width, rng);
  const rows = new Float32Array(count * width);
  const scale = count === 1 ? 1 : Math.sqrt(count / (count - 1));
  for (let i = 0; i < count; i++)
    for (let k = 0; k < axes; k++) {
      // Helmert's basis of what sums to 0: column k has k + 1 equal numbers and then one that takes them back
      const size = Math.sqrt((k + 1) * (k + 2));
      const at = count === 1 ? 1 : i <= k ? 1 / size : i === k + 1 ? -(k + 1) / size : 0;
      for (let j = 0; j < width; j++) rows[i * width + j]! += scale * at * frame[k]![j]!;
    }
  return rows;
}

/** So many random directions at right angles, by Gram and Schmidt's way, twice each. */
function orthonormal(count: number, width: number, rng: Rng): readonly Float64Array[] {
  const found: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    const draw = rng.at("direction", k);
    let own = Float64Array.from({ length: width }, () => draw.normal());
    for (let round = 0; round < 2; round++)
      for (const other of found) {
        const along = own.reduce((sum, v, j) => sum + v * other[j]!, 0);
        own = own.map((v, j) => v - along * other[j]!);
      }
    const size = Math.hypot(...own);
    found.push(own.map((v) => v / size));
  }
  return found;
}

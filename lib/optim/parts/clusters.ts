/** Groups of rows that are near each other, all of about one size. */
import type { Rng } from "../../engine/index.ts";

/**
 * Divides rows into groups of at most `size`, near ones together: halves again and again, each by two means of equal share.
 *
 * Two random rows are the first means; the rows are sorted by how much nearer they are to the one, cut in the middle, and the means taken anew, until
 * no row changes sides. `vectors` has `width` numbers for each row; directions count, not lengths.
 */
export function balancedClusters(vectors: Float32Array, width: number, size: number, rng: Rng): Uint32Array[] {
  const count = vectors.length / width;
  const unit = new Float32Array(vectors.length);
  for (let i = 0; i < count; i++) {
    const row = vectors.subarray(i * width, (i + 1) * width);
    const length = Math.hypot(...row) || 1;
    for (let j = 0; j < width; j++) unit[i * width + j] = row[j]! / length;
  }
  const halves = (rows: Uint32Array, own: Rng): [Uint32Array, Uint32Array] => {
    const [a, b] = own.sample(rows.length, 2);
    const at = (i: number): Float64Array => Float64Array.from(unit.subarray(i * width, (i + 1) * width));
    let means: [Float64Array, Float64Array] = [at(rows[a!]!), at(rows[b!]!)];
    const middle = Math.ceil(rows.length / 2);
    let parts: [Uint32Array, Uint32Array] = [rows, rows];
    for (let round = 0; round < 20; round++) {
      const nearer = new Map(
        Array.from(rows, (i) => {
          let sum = 0;
          for (let j = 0; j < width; j++) sum += unit[i * width + j]! * (means[0][j]! - means[1][j]!);
          return [i, sum];
        }),
      );
      const sorted = rows.slice().sort((i, k) => nearer.get(k)! - nearer.get(i)! || i - k);
      const next: [Uint32Array, Uint32Array] = [sorted.slice(0, middle).sort(), sorted.slice(middle).sort()];
      const same = next[0].length === parts[0].length && next[0].every((row, k) => row === parts[0][k]);
      parts = next;
      if (same) break;
      means = parts.map((part) => {
        const mean = new Float64Array(width);
        for (const i of part) for (let j = 0; j < width; j++) mean[j]! += unit[i * width + j]!;
        const length = Math.hypot(...mean) || 1;
        return mean.map((v) => v / length);
      }) as [Float64Array, Float64Array];
    }
    return parts;
  };
  const divided = (rows: Uint32Array, own: Rng): Uint32Array[] => {
    if (rows.length <= size) return [rows];
    const [left, right] = halves(rows, own.at("halves"));
    return [...divided(left, own.at("left")), ...divided(right, own.at("right"))];
  };
  return divided(
    Uint32Array.from({ length: count }, (_, i) => i),
    rng,
  );
}

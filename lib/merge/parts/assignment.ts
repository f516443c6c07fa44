/** Assignments of rows to columns. */

/**
 * The assignment of each row of a square matrix to a column of its own with the greatest sum, by successive shortest paths with potentials
 * (the Hungarian method), in O(n³).
 */
export function assignment(gains: ArrayLike<number>, n: number): Uint32Array {
  const [u, v] = [new Float64Array(n + 1), new Float64Array(n + 1)];
  const rowOf = new Int32Array(n + 1); // of a column; the column 0 is outside of the matrix
  const cameFrom = new Int32Array(n + 1);
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row;
    const least = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
    const used = new Uint8Array(n + 1);
    let column = 0;
    do {
      used[column] = 1;
      const own = rowOf[column]!;
      let [step, next] = [Number.POSITIVE_INFINITY, 0];
      for (let j = 1; j <= n; j++) {
        if (used[j]) continue;
        const cost = -gains[(own - 1) * n + j - 1]! - u[own]! - v[j]!;
        if (cost < least[j]!) {
          least[j] = cost;
          cameFrom[j] = column;
        }
        if (least[j]! < step) [step, next] = [least[j]!, j];
      }
      for (let j = 0; j <= n; j++) {
        if (used[j]) {
          u[rowOf[j]!]! += step;
          v[j]! -= step;
        } else least[j]! -= step;
      }
      column = next;
    } while (rowOf[column] !== 0);
    while (column !== 0) {
      const before = cameFrom[column]!;
      rowOf[column] = rowOf[before]!;
      column = before;
    }
  }
  const found = new Uint32Array(n);
  for (let j = 1; j <= n; j++) found[rowOf[j]! - 1] = j - 1;
  return found;
}

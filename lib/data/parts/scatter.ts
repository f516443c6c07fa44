/** Rows of several tables that lie one after the other. */

/** Calls `read` once for each part that has some of the rows `at`: with the rows there, and their places in `at`. */
export function scatter(
  starts: Uint32Array,
  at: ArrayLike<number>,
  read: (part: number, rows: number[], places: number[]) => void,
): void {
  const found = new Map<number, { rows: number[]; places: number[] }>();
  for (let i = 0; i < at.length; i++) {
    let [low, high] = [0, starts.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= at[i]!) low = middle;
      else high = middle;
    }
    const bucket = found.get(low) ?? { rows: [], places: [] };
    found.set(low, bucket);
    bucket.rows.push(at[i]! - starts[low]!);
    bucket.places.push(i);
  }
  for (const [part, { rows, places }] of found) read(part, rows, places);
}

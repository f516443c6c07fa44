/** Arrays in rows, cut and put together. */

/** Some columns of each row. */
export function columns(of: Float32Array, rows: number, row: number, from: number, count: number): Float32Array {
  const out = new Float32Array(rows * count);
  for (let i = 0; i < rows; i++) out.set(of.subarray(i * row + from, i * row + from + count), i * count);
  return out;
}

/** Parts of rows side by side. */
export function joined(parts: readonly Float32Array[], rows: number): Float32Array {
  const widths = parts.map((part) => part.length / rows);
  const row = widths.reduce((a, b) => a + b, 0);
  const out = new Float32Array(rows * row);
  let from = 0;
  for (const [k, part] of parts.entries()) {
    const width = widths[k]!;
    for (let i = 0; i < rows; i++) out.set(part.subarray(i * width, (i + 1) * width), i * row + from);
    from += width;
  }
  return out;
}

/** One after the other. */
export function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** `[n, k] × [k, m]`. */
export function product(a: Float32Array, b: Float32Array, n: number, k: number, m: number): Float32Array {
  const out = new Float32Array(n * m);
  for (let i = 0; i < n; i++)
    for (let l = 0; l < k; l++) {
      const x = a[i * k + l]!;
      for (let j = 0; j < m; j++) out[i * m + j]! += x * b[l * m + j]!;
    }
  return out;
}

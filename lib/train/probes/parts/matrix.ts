/** Tables of numbers on the host and their singular values, for measurements: rows and columns in the hundreds. */

/** A table of numbers, row after row. */
export interface Matrix {
  readonly data: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
}

/** Checks that a matrix has the numbers it says it has. */
export function requireMatrix(name: string, { data, rows, columns }: Matrix): void {
  if (data.length !== rows * columns || rows < 1 || columns < 1) {
    throw new RangeError(
      `${name}: ${rows} × ${columns} numbers are required, got ${data.length}; give data row after row`,
    );
  }
}

/** `AAᵀ`: the inner product of every pair of rows. */
export function innerProducts({ data, rows, columns }: Matrix): Matrix {
  const a = Float64Array.from(data);
  const out = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      let total = 0;
      for (let k = 0, p = i * columns, q = j * columns; k < columns; k++) total += a[p + k]! * a[q + k]!;
      out[i * rows + j] = total;
      out[j * rows + i] = total;
    }
  }
  return { data: out, rows, columns: rows };
}

function transposed({ data, rows, columns }: Matrix): Matrix {
  const out = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  }
  return { data: out, rows: columns, columns: rows };
}

/** The singular values of a matrix, largest first. Those below 1e−8 of the largest are rounding. */
export function singularValues(matrix: Matrix): number[] {
  const gram = innerProducts(matrix.rows < matrix.columns ? matrix : transposed(matrix));
  return symmetricEigenvalues(gram).map((value) => Math.sqrt(Math.max(0, value)));
}

/** The eigenvalues of a symmetric matrix, largest first: Householder's reduction to three diagonals, then implicit QL. */
export function symmetricEigenvalues({ data, rows: n }: Matrix): number[] {
  const a = Float64Array.from(data);
  const { diagonal, off } = tridiagonal(a, n);
  for (let l = 0; l < n; l++) {
    for (let turn = 0; turn < 60; turn++) {
      let m = l;
      while (m < n - 1 && Math.abs(off[m]!) > Number.EPSILON * (Math.abs(diagonal[m]!) + Math.abs(diagonal[m + 1]!)))
        m++;
      if (m === l) break;
      sweep(diagonal, off, l, m);
    }
  }
  return Array.from(diagonal).sort((x, y) => y - x);
}

/** The diagonal and the one beside it of a tridiagonal matrix with the same eigenvalues. Reads and overwrites the lower triangle of `a`. */
function tridiagonal(a: Float64Array, n: number): { diagonal: Float64Array; off: Float64Array } {
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const v = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k < n - 2; k++) {
    let norm = 0;
    for (let i = k + 1; i < n; i++) norm += a[i * n + k]! ** 2;
    norm = Math.sqrt(norm);
    const head = a[(k + 1) * n + k]!;
    const alpha = head > 0 ? -norm : norm;
    off[k] = norm === 0 ? head : alpha;
    const length = Math.sqrt(2 * norm * (norm + Math.abs(head)));
    if (length === 0) continue;
    for (let i = k + 1; i < n; i++) v[i] = (a[i * n + k]! - (i === k + 1 ? alpha : 0)) / length;
    let dot = 0;
    p.fill(0, k + 1);
    for (let i = k + 1; i < n; i++) {
      const [row, own] = [i * n, v[i]!];
      let total = a[row + i]! * own;
      for (let j = k + 1; j < i; j++) {
        total += a[row + j]! * v[j]!;
        p[j]! += a[row + j]! * own;
      }
      p[i]! += total;
    }
    for (let i = k + 1; i < n; i++) dot += p[i]! * v[i]!;
    for (let i = k + 1; i < n; i++) p[i]! -= dot * v[i]!;
    for (let i = k + 1; i < n; i++) {
      const [row, own, other] = [i * n, 2 * v[i]!, 2 * p[i]!];
      for (let j = k + 1; j <= i; j++) a[row + j]! -= own * p[j]! + other * v[j]!;
    }
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i]!;
  if (n > 1) off[n - 2] = a[(n - 1) * n + n - 2]!;
  return { diagonal, off };
}

/** One implicit QL sweep over the rows `l` to `m` of a tridiagonal matrix. */
function sweep(diagonal: Float64Array, off: Float64Array, l: number, m: number): void {
  let g = (diagonal[l + 1]! - diagonal[l]!) / (2 * off[l]!);
  let r = Math.hypot(g, 1);
  g = diagonal[m]! - diagonal[l]! + off[l]! / (g + (g >= 0 ? Math.abs(r) : -Math.abs(r)));
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const f = s * off[i]!;
    const b = c * off[i]!;
    r = Math.hypot(f, g);
    off[i + 1] = r;
    if (r === 0) {
      diagonal[i + 1]! -= p;
      off[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = diagonal[i + 1]! - p;
    r = (diagonal[i]! - g) * s + 2 * c * b;
    p = s * r;
    diagonal[i + 1] = g + p;
    g = c * r - b;
  }
  diagonal[l]! -= p;
  off[l] = g;
  off[m] = 0;
}

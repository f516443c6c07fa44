/** Dense linear algebra in double precision: what closed forms and subspaces are made of. Matrices are row after row. */

/** The lower triangle L of a symmetric positive definite matrix, `L Lᵀ = A`. Throws when it is not positive definite. */
export function cholesky(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      const [ri, rj] = [i * n, j * n];
      for (let k = 0; k < j; k++) sum -= l[ri + k]! * l[rj + k]!;
      if (i !== j) l[ri + j] = sum / l[rj + j]!;
      else {
        if (!(sum > 0))
          throw new RangeError(
            `cholesky: a positive definite matrix is required, got pivot ${sum} at row ${i}; raise the ridge or shrinkage`,
          );
        l[ri + i] = Math.sqrt(sum);
      }
    }
  }
  return l;
}

/** The solution X of `A X = B` for symmetric positive definite A (`n × n`) and B (`n × m`). */
export function solveSymmetric(a: Float64Array, b: Float64Array, n: number, m: number): Float64Array {
  const l = cholesky(a, n);
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const factor = l[i * n + k]!;
      if (factor !== 0) for (let j = 0; j < m; j++) x[i * m + j]! -= factor * x[k * m + j]!;
    }
    for (let j = 0; j < m; j++) x[i * m + j]! /= l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      const factor = l[k * n + i]!;
      if (factor !== 0) for (let j = 0; j < m; j++) x[i * m + j]! -= factor * x[k * m + j]!;
    }
    for (let j = 0; j < m; j++) x[i * m + j]! /= l[i * n + i]!;
  }
  return x;
}

/** The inverse of a symmetric positive definite matrix. */
export function inverseSymmetric(a: Float64Array, n: number): Float64Array {
  const unit = new Float64Array(n * n);
  for (let i = 0; i < n; i++) unit[i * n + i] = 1;
  return solveSymmetric(a, unit, n, n);
}

/** Eigenvalues in descending order and their eigenvectors, one row each, of a symmetric matrix (cyclic Jacobi rotations). */
export function symmetricEigen(matrix: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const size = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) off += a[i * n + j]! ** 2;
    if (Math.sqrt(off) <= 1e-12 * size) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q]!;
        if (Math.abs(apq) < 1e-300) continue;
        const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        rotate(a, n, p, q, c, t * c);
        for (let k = 0; k < n; k++) {
          const [vp, vq] = [v[p * n + k]!, v[q * n + k]!];
          v[p * n + k] = c * vp - t * c * vq;
          v[q * n + k] = t * c * vp + c * vq;
        }
      }
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]!);
  const values = Float64Array.from(order, (i) => a[i * n + i]!);
  const vectors = new Float64Array(n * n);
  order.forEach((i, row) => {
    vectors.set(v.subarray(i * n, (i + 1) * n), row * n);
  });
  return { values, vectors };
}

/** Rotates rows and columns p and q of a symmetric matrix. */
function rotate(a: Float64Array, n: number, p: number, q: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const [kp, kq] = [a[k * n + p]!, a[k * n + q]!];
    a[k * n + p] = c * kp - s * kq;
    a[k * n + q] = s * kp + c * kq;
  }
  for (let k = 0; k < n; k++) {
    const [pk, qk] = [a[p * n + k]!, a[q * n + k]!];
    a[p * n + k] = c * pk - s * qk;
    a[q * n + k] = s * pk + c * qk;
  }
}

/**
 * Orthonormal directions of the rows of `x` (`n` rows of `width` numbers), the strongest first, with the share of the squared length of all
 * rows that each holds. Directions without weight are left out.
 */
export function principal(x: Float32Array, width: number): { directions: Float64Array[]; shares: number[] } {
  const n = x.length / width;
  const wide = n < width;
  const m = wide ? n : width;
  const gram = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    for (let j = i; j < m; j++) {
      let sum = 0;
      if (wide) for (let k = 0; k < width; k++) sum += x[i * width + k]! * x[j * width + k]!;
      else for (let k = 0; k < n; k++) sum += x[k * width + i]! * x[k * width + j]!;
      gram[i * m + j] = gram[j * m + i] = sum;
    }
  }
  const total = Array.from({ length: m }, (_, i) => gram[i * m + i]!).reduce((a, b) => a + b, 0);
  const { values, vectors } = symmetricEigen(gram, m);
  const directions: Float64Array[] = [];
  const shares: number[] = [];
  for (let i = 0; i < m && values[i]! > 1e-10 * Math.max(total, 1e-30); i++) {
    const own = vectors.subarray(i * m, (i + 1) * m);
    const direction = new Float64Array(width);
    if (!wide) direction.set(own);
    else for (let r = 0; r < n; r++) for (let k = 0; k < width; k++) direction[k]! += own[r]! * x[r * width + k]!;
    const length = Math.hypot(...direction);
    for (let k = 0; k < width; k++) direction[k]! /= length;
    directions.push(direction);
    shares.push(values[i]! / total);
  }
  return { directions, shares };
}

/** The product of `a` (`n × k`) and `b` (`k × m`). */
export function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  n: number,
  k: number,
  m: number,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let t = 0; t < k; t++) {
      const factor = a[i * k + t]!;
      if (factor !== 0) for (let j = 0; j < m; j++) out[i * m + j]! += factor * b[t * m + j]!;
    }
  return out;
}

/** The columns of `a` (`n × m`) as rows. */
export function transposed(a: ArrayLike<number>, n: number, m: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j * n + i] = a[i * m + j]!;
  return out;
}

/**
 * The thin singular value decomposition of `a` (`n × m`): singular values in descending order, left and right singular vectors one row
 * each. It comes from the eigenvectors of the smaller Gram matrix, so values below `1e-7` of the largest are left out.
 */
export function singular(
  a: ArrayLike<number>,
  n: number,
  m: number,
): { readonly values: Float64Array; readonly left: Float64Array[]; readonly right: Float64Array[] } {
  const wide = n < m;
  const own = wide ? Float64Array.from(a) : transposed(a, n, m);
  const [small, large] = wide ? [n, m] : [m, n];
  const { values, vectors } = symmetricEigen(product(own, transposed(own, small, large), small, large, small), small);
  const count = values.findIndex((value) => !(value > 1e-14 * values[0]!));
  const kept = count < 0 ? small : count;
  const near = Array.from({ length: kept }, (_, i) => vectors.slice(i * small, (i + 1) * small));
  const roots = Float64Array.from({ length: kept }, (_, i) => Math.sqrt(values[i]!));
  const far = near.map((vector, i) => product(vector, own, 1, small, large).map((x) => x / roots[i]!));
  return { values: roots, left: wide ? near : far, right: wide ? far : near };
}

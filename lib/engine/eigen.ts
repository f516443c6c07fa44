/** Eigenvalues and eigenvectors of any square matrix, in double precision: what is not symmetric has complex ones. */

/** Numbers row after row. */
export interface ComplexArray {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

type Number2 = readonly [re: number, im: number];

/**
 * Eigenvalues and eigenvectors of a real `n × n` matrix, `A V = V diag(values)`; eigenvectors are the columns of V, of length 1.
 *
 * Rotations bring it to Hessenberg's form, steps of QR with Wilkinson's shifts to a triangle, of which the vectors are read. Golub and Van Loan 2013, "Matrix computations", chapter 7.
 *
 * @throws RangeError when it does not come to a triangle in 60 steps for each eigenvalue.
 */
export function eigen(
  a: ArrayLike<number>,
  n: number,
): { readonly values: ComplexArray; readonly vectors: ComplexArray } {
  const h = complexArray(n * n, (i) => a[i]!);
  const q = complexArray(n * n, (i) => (i % (n + 1) === 0 ? 1 : 0));
  const at = (of: ComplexArray, i: number, j: number): Number2 => [of.re[i * n + j]!, of.im[i * n + j]!];
  /** Rows i and k of `of`: `c x_i + s x_k`, `−s̄ x_i + c x_k`. */
  const rows = (of: ComplexArray, i: number, k: number, { c, s }: Rotation): void => {
    for (let j = 0; j < n; j++) turn(of, i * n + j, k * n + j, c, s);
  };
  const columns = (of: ComplexArray, i: number, k: number, { c, s }: Rotation): void => {
    for (let j = 0; j < n; j++) turn(of, j * n + i, j * n + k, c, [s[0], -s[1]]);
  };
  for (let j = 0; j < n - 2; j++)
    for (let i = n - 1; i > j + 1; i--) {
      const rotation = rotationOf(at(h, i - 1, j), at(h, i, j));
      rows(h, i - 1, i, rotation);
      columns(h, i - 1, i, rotation);
      columns(q, i - 1, i, rotation);
    }
  const shiftBy = ([re, im]: Number2, sign: number): void => {
    for (let i = 0; i < n; i++) {
      h.re[i * (n + 1)]! += sign * re;
      h.im[i * (n + 1)]! += sign * im;
    }
  };
  let end = n - 1;
  for (let steps = 0; end > 0; steps++) {
    if (steps > 60 * n)
      throw new RangeError("eigen: a matrix that comes to a triangle is required, got one that does not");
    const small = (i: number): boolean =>
      size(at(h, i, i - 1)) <= 1e-15 * (size(at(h, i, i)) + size(at(h, i - 1, i - 1)));
    if (small(end)) {
      h.re[end * n + end - 1] = h.im[end * n + end - 1] = 0;
      end--;
      continue;
    }
    let begin = end;
    while (begin > 0 && !small(begin)) begin--;
    const shift = shiftOf(at(h, end - 1, end - 1), at(h, end - 1, end), at(h, end, end - 1), at(h, end, end));
    shiftBy(shift, -1);
    const made: Rotation[] = [];
    for (let k = begin; k < end; k++) {
      const rotation = rotationOf(at(h, k, k), at(h, k + 1, k));
      rows(h, k, k + 1, rotation);
      made.push(rotation);
    }
    made.forEach((rotation, i) => {
      columns(h, begin + i, begin + i + 1, rotation);
      columns(q, begin + i, begin + i + 1, rotation);
    });
    shiftBy(shift, 1);
  }
  const values = complexArray(
    n,
    (i) => h.re[i * (n + 1)]!,
    (i) => h.im[i * (n + 1)]!,
  );
  const vectors = complexArray(n * n, () => 0);
  for (let j = 0; j < n; j++) {
    // the triangle's own vector, from the last number that is not 0 up
    const y: Number2[] = new Array(n).fill([0, 0]);
    y[j] = [1, 0];
    for (let i = j - 1; i >= 0; i--) {
      let sum: Number2 = [0, 0];
      for (let k = i + 1; k <= j; k++) sum = plus(sum, times(at(h, i, k), y[k]!));
      const apart: Number2 = [at(h, j, j)[0] - at(h, i, i)[0], at(h, j, j)[1] - at(h, i, i)[1]];
      y[i] = over(sum, size(apart) === 0 ? [1e-300, 0] : apart);
    }
    const v = Array.from({ length: n }, (_, i) =>
      y.reduce<Number2>((sum, x, k) => plus(sum, times(at(q, i, k), x)), [0, 0]),
    );
    const length = Math.hypot(...v.flat());
    v.forEach(([re, im], i) => {
      vectors.re[i * n + j] = re / length;
      vectors.im[i * n + j] = im / length;
    });
  }
  return { values, vectors };
}

/** The inverse of a complex `n × n` matrix, by elimination with pivots. */
export function complexInverse(a: ComplexArray, n: number): ComplexArray {
  const [left, right] = [
    complexArray(
      n * n,
      (i) => a.re[i]!,
      (i) => a.im[i]!,
    ),
    complexArray(n * n, (i) => (i % (n + 1) === 0 ? 1 : 0)),
  ];
  const at = (of: ComplexArray, i: number, j: number): Number2 => [of.re[i * n + j]!, of.im[i * n + j]!];
  const put = (of: ComplexArray, i: number, j: number, [re, im]: Number2): void => {
    of.re[i * n + j] = re;
    of.im[i * n + j] = im;
  };
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) if (size(at(left, j, i)) > size(at(left, pivot, i))) pivot = j;
    const scale = at(left, pivot, i);
    for (const of of [left, right])
      for (let k = 0; k < n; k++) {
        const [own, other] = [at(of, i, k), at(of, pivot, k)];
        put(of, pivot, k, own);
        put(of, i, k, over(other, scale));
      }
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      const factor = at(left, j, i);
      for (const of of [left, right])
        for (let k = 0; k < n; k++) {
          const part = times(factor, at(of, i, k));
          of.re[j * n + k]! -= part[0];
          of.im[j * n + k]! -= part[1];
        }
    }
  }
  return right;
}

interface Rotation {
  readonly c: number;
  readonly s: Number2;
}

const complexArray = (
  length: number,
  re: (i: number) => number,
  im: (i: number) => number = () => 0,
): ComplexArray => ({
  re: Float64Array.from({ length }, (_, i) => re(i)),
  im: Float64Array.from({ length }, (_, i) => im(i)),
});
const size = ([re, im]: Number2): number => Math.hypot(re, im);
const plus = (a: Number2, b: Number2): Number2 => [a[0] + b[0], a[1] + b[1]];
const times = ([a, b]: Number2, [c, d]: Number2): Number2 => [a * c - b * d, a * d + b * c];
const over = (x: Number2, [c, d]: Number2): Number2 => times(x, [c / (c * c + d * d), -d / (c * c + d * d)]);

/** That which makes `b` 0 beside `a`. */
function rotationOf(a: Number2, b: Number2): Rotation {
  const length = Math.hypot(...a, ...b);
  if (size(b) === 0) return { c: 1, s: [0, 0] };
  if (size(a) === 0) return { c: 0, s: over([b[0], -b[1]], [size(b), 0]) };
  return { c: size(a) / length, s: times([a[0] / size(a), a[1] / size(a)], [b[0] / length, -b[1] / length]) };
}

function turn({ re, im }: ComplexArray, i: number, k: number, c: number, s: Number2): void {
  const [x, y]: [Number2, Number2] = [
    [re[i]!, im[i]!],
    [re[k]!, im[k]!],
  ];
  const [sy, sx] = [times(s, y), times([s[0], -s[1]], x)];
  [re[i], im[i]] = [c * x[0] + sy[0], c * x[1] + sy[1]];
  [re[k], im[k]] = [c * y[0] - sx[0], c * y[1] - sx[1]];
}

/** The eigenvalue of `[[a, b], [c, d]]` that is nearer to d. */
function shiftOf(a: Number2, b: Number2, c: Number2, d: Number2): Number2 {
  const half: Number2 = [(a[0] - d[0]) / 2, (a[1] - d[1]) / 2];
  const inner = plus(times(half, half), times(b, c));
  const r = Math.sqrt(size(inner));
  const angle = Math.atan2(inner[1], inner[0]) / 2;
  const root: Number2 = [r * Math.cos(angle), r * Math.sin(angle)];
  const sign = half[0] * root[0] + half[1] * root[1] >= 0 ? 1 : -1;
  const below: Number2 = [half[0] + sign * root[0], half[1] + sign * root[1]];
  if (size(below) === 0) return d;
  const part = over(times(b, c), below);
  return [d[0] - part[0], d[1] - part[1]];
}

/** Recurrences in parallel and long convolutions, against the plain loops that define them. */
import {
  associativeScan,
  type Complex,
  complex,
  deer,
  fftConvolve,
  jit,
  leaves,
  linearScan,
  mapTensors,
  random,
  scan,
  steps,
  tf,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";

const drawn = (name: string, shape: number[], size = 1): tf.Tensor => random(1).at(name).normals(shape, 0, size);
const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const far = (got: readonly number[], wanted: readonly number[]): number => {
  expect(got.length).toBe(wanted.length);
  return Math.max(...got.map((value, i) => Math.abs(value - wanted[i]!)));
};
/** With the places on the first axis, as a loop has them. */
const inFront = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [1, 0, ...x.shape.slice(2).map((_, i) => i + 2)]);
/** States at all places by a loop, `[n, length, …]`. */
const looped = <S>(
  next: (state: S, x: { readonly a: S; readonly b: S }) => S,
  first: S,
  a: S,
  b: S,
  reverse = false,
): S => {
  const xs = mapTensors(inFront, { a, b });
  const [, all] = scan(
    (state: S, x: typeof xs) => [next(state, x), next(state, x)] as const,
    first,
    xs,
    {},
    { reverse },
  );
  return mapTensors(inFront, all);
};

type Given = { readonly a: tf.Tensor; readonly b: tf.Tensor; readonly first: tf.Tensor };
type Pair = { readonly a: Complex; readonly b: Complex; readonly first: Complex };

const plainly = ({ a, b, first }: Given, reverse = false): tf.Tensor =>
  looped((h, { a, b }) => tf.add(tf.mul(a, h), b), first, tf.add(a, tf.zerosLike(b)), b, reverse);
const plainlyComplex = ({ a, b, first }: Pair): Complex => {
  const wide = { re: tf.add(a.re, tf.zerosLike(b.re)), im: tf.add(a.im, tf.zerosLike(b.im)) };
  return looped((h, { a, b }) => complex.plus(complex.times(a, h), b), first, wide, b);
};
/** A number that weighs all results differently. */
const weighed = (tree: unknown): tf.Tensor =>
  tf.addN(leaves(tree).map((y) => tf.sum(tf.mul(tf.square(y), tf.sin(tf.reshape(tf.range(1, 1 + y.size), y.shape))))));

const given = (length: number, ofA: number[] = [2, length, 3]): Given => ({
  a: drawn("a", ofA, 0.6),
  b: drawn("b", [2, length, 3]),
  first: drawn("first", [2, 3]),
});
const pairs = (length: number, ofA: number): Pair => {
  const both = (name: string, shape: number[], size: number): Complex => ({
    re: drawn(`${name} re`, shape, size),
    im: drawn(`${name} im`, shape, size),
  });
  return { a: both("a", [1, ofA, 3], 0.5), b: both("b", [2, length, 3], 1), first: both("first", [2, 3], 1) };
};

describe("linearScan", () => {
  test.each([1, 5, 29, 96, 131])("gives what the loop gives at %s places, both ways, with its gradient", (length) => {
    for (const ofA of [[2, length, 3], [3], [2, 1, 1]])
      for (const reverse of [false, true]) {
        const at = given(length, ofA);
        const slope = (way: (at: Given) => tf.Tensor) => (at: Given) =>
          valueAndGrad((at: Given) => weighed(way(at)), at);
        const parallel = ({ a, b, first }: Given): tf.Tensor => linearScan(a, b, first, { reverse });
        const [got, wanted] = [jit(slope(parallel))(at), jit(slope((at) => plainly(at, reverse)))(at)];
        expect(far(numbers(jit(parallel)(at)), numbers(jit(plainly)(at, reverse)))).toBeLessThan(2e-5);
        for (const name of ["a", "b", "first"] as const) {
          const size = Math.max(1, ...numbers(wanted.grads[name]).map(Math.abs));
          expect(far(numbers(got.grads[name]), numbers(wanted.grads[name])) / size).toBeLessThan(1e-5);
        }
      }
  });

  test.each([1, 40])("of complex numbers, with %s factors", (ofA) => {
    const at = pairs(40, ofA);
    const parallel = ({ a, b, first }: Pair): Complex => linearScan(a, b, first);
    const [got, wanted] = [parallel, plainlyComplex].map((way) =>
      jit((at: Pair) => valueAndGrad((at: Pair) => weighed(way(at)), at))(at),
    );
    leaves(got!.grads).forEach((grad, i) => {
      const other = numbers(leaves(wanted!.grads)[i]!);
      expect(far(numbers(grad), other) / Math.max(1, ...other.map(Math.abs))).toBeLessThan(1e-5);
    });
  });

  test("its gradient is the slope of finite differences, and has a gradient itself", () => {
    const at = given(30);
    const length = (a: tf.Tensor): tf.Tensor => {
      const { grads } = valueAndGrad((b: tf.Tensor) => weighed(linearScan(a, b, at.first)), at.b);
      return tf.sum(tf.square(grads));
    };
    const loss = (a: tf.Tensor): tf.Tensor => tf.sum(tf.square(linearScan(a, at.b, at.first)));
    const direction = drawn("direction", [2, 30, 3]);
    for (const fn of [loss, length]) {
      const { grads } = jit((a: tf.Tensor) => valueAndGrad(fn, a))(at.a);
      const value = jit(fn);
      const step = 1e-2;
      const [above, below] = [step, -step].map((by) => numbers(value(tf.add(at.a, tf.mul(direction, by))))[0]!);
      const slope = numbers(tf.sum(tf.mul(grads, direction)))[0]!;
      expect(Math.abs((above! - below!) / (2 * step) - slope) / Math.abs(slope)).toBeLessThan(0.01);
    }
  });

  test("is within steps, and of 2,048 places a program of some hundred operations", () => {
    const at = { a: drawn("long a", [1, 2048, 2], 0.3), b: drawn("long b", [1, 2048, 2]), first: tf.zeros([1, 2]) };
    const train = steps((a: tf.Tensor, b: tf.Tensor) => {
      const { value, grads } = valueAndGrad((a: tf.Tensor) => tf.mean(tf.square(linearScan(a, b))), a);
      return [tf.sub(a, tf.mul(grads, 0.1)), value] as const;
    });
    const wanted = numbers(tf.mean(tf.square(jit(plainly)(at))));
    const [, losses] = train(at.a, tf.stack([at.b, at.b]), null);
    const [one, two] = numbers(losses);
    expect(far([one!], wanted)).toBeLessThan(1e-4);
    expect(two).toBeLessThan(one!);
  });

  test("needs factors that broadcast", () => {
    expect(() => linearScan(tf.ones([2, 4]), tf.ones([2, 5]))).toThrow(
      "linearScan: factors that broadcast to [2,5] are required, got [2,4]",
    );
  });
});

describe("associativeScan", () => {
  // what a product of matrices and a vector beside it does, one after the other: not commutative
  type Affine = { readonly m: tf.Tensor; readonly v: tf.Tensor };
  const then = (left: Affine, right: Affine): Affine => ({
    m: tf.matMul(right.m, left.m),
    v: tf.add(tf.matMul(right.m, left.v), right.v),
  });
  const at = (length: number): Affine => ({ m: drawn("m", [2, length, 3, 3], 0.4), v: drawn("v", [2, length, 3, 1]) });
  const loop = ({ m, v }: Affine): Affine => {
    const start = { m: tf.add(tf.zeros([2, 3, 3]), tf.eye(3)), v: tf.zeros([2, 3, 1]) };
    const xs = { m: inFront(m), v: inFront(v) };
    const [, all] = scan((state: Affine, x: Affine) => [then(state, x), then(state, x)] as const, start, xs, {});
    return mapTensors(inFront, all);
  };

  test.each([1, 7, 29, 90])("gives what the loop gives at %s places, with its gradient", (length) => {
    const slope = (way: (at: Affine) => Affine) => (at: Affine) => valueAndGrad((at: Affine) => weighed(way(at)), at);
    const got = jit(slope((at) => associativeScan(then, at)))(at(length));
    const wanted = jit(slope(loop))(at(length));
    expect(far(numbers(got.value), numbers(wanted.value))).toBeLessThan(1e-3);
    for (const name of ["m", "v"] as const)
      expect(far(numbers(got.grads[name]), numbers(wanted.grads[name]))).toBeLessThan(1e-4);
  });

  test("along any axis, from the end as well", () => {
    const x = tf.range(1, 61).reshape([60, 1]);
    const sums = associativeScan((a: tf.Tensor, b: tf.Tensor) => tf.add(a, b), x, { axis: 0, reverse: true });
    expect(numbers(sums).slice(0, 2)).toEqual([1830, 1829]);
    expect(numbers(sums).at(-1)).toBe(60);
  });

  test("says what it needs", () => {
    const sum = (a: tf.Tensor[], b: tf.Tensor[]): tf.Tensor[] => a.map((one, i) => tf.add(one, b[i]!));
    expect(() => associativeScan(sum, [tf.ones([1, 3]), tf.ones([1, 4])])).toThrow(
      "tensors with one length of at least 1 on axis 1 are required, got [3,4]",
    );
    expect(() => associativeScan((a: tf.Tensor) => tf.sum(a), tf.ones([1, 3]))).toThrow(
      "an operation that keeps shapes",
    );
  });
});

describe("deer", () => {
  const [length, n, units] = [40, 2, 3];
  type Own = { readonly kernel: tf.Tensor; readonly xs: tf.Tensor; readonly first: tf.Tensor };
  const own: Own = {
    kernel: drawn("kernel", [units, units], 0.6),
    xs: drawn("xs", [length, n, units]),
    first: drawn("start", [n, units]),
  };
  const cell = (h: tf.Tensor, x: tf.Tensor, kernel: tf.Tensor): tf.Tensor =>
    tf.tanh(tf.add(tf.matMul(h as tf.Tensor2D, kernel as tf.Tensor2D), x));
  const newton = ({ kernel, xs, first }: Own, iterations?: number): tf.Tensor =>
    deer(cell, first, xs, kernel, iterations === undefined ? {} : { iterations });
  const loop = ({ kernel, xs, first }: Own): tf.Tensor =>
    scan(
      (h: tf.Tensor, x: tf.Tensor, kernel: tf.Tensor) => [cell(h, x, kernel), cell(h, x, kernel)] as const,
      first,
      xs,
      kernel,
    )[1];

  test("comes to what the loop gives, quadratically, with its gradients", () => {
    const wanted = numbers(jit(loop)(own));
    const errors = [2, 4, 6, 10].map((iterations) => far(numbers(jit(newton)(own, iterations)), wanted));
    expect(errors[0]!).toBeGreaterThan(1e-3);
    expect(errors.at(-1)!).toBeLessThan(1e-5);
    const [got, other] = [newton, loop].map((way) =>
      jit((own: Own) => valueAndGrad((own: Own) => weighed(way(own)), own))(own),
    );
    leaves(got!.grads).forEach((grad, i) => {
      const slopes = numbers(leaves(other!.grads)[i]!);
      expect(far(numbers(grad), slopes) / Math.max(1, ...slopes.map(Math.abs))).toBeLessThan(1e-4);
    });
  });

  test("says what it needs", () => {
    expect(() => deer(cell, tf.ones([3]), own.xs, own.kernel)).toThrow(
      "a first state [n, units] and inputs [length, n, …]",
    );
  });
});

describe("fftConvolve", () => {
  /** By the matrix of all shifts of the filter. */
  const directly = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor => {
    const length = x.shape[1]!;
    const places = tf.range(0, length);
    const lag = tf.sub(tf.expandDims(places, 1), tf.expandDims(places, 0));
    const filled = tf.pad(kernel, [
      [0, 0],
      [0, length - kernel.shape[1]!],
    ]);
    const shifts = tf.mul(
      tf.gather(filled, tf.cast(tf.relu(lag), "int32"), 1),
      tf.cast(tf.greaterEqual(lag, 0), "float32"),
    );
    return tf.transpose(tf.matMul(shifts, tf.transpose(x, [2, 1, 0])), [2, 1, 0]);
  };
  test.each([
    [1, 1, 1],
    [2, 7, 7],
    [3, 40, 40],
    [2, 50, 9],
  ])("gives the sums that define it and their gradients: %s examples of %s places, %s taps", (n, length, taps) => {
    const at = { x: drawn("x", [n, length, 2]), kernel: drawn("kernel", [2, taps]) };
    const slope = (way: typeof directly) =>
      jit((given: typeof at) => valueAndGrad(({ x, kernel }: typeof at) => weighed(way(x, kernel)), given))(at);
    const [got, wanted] = [slope(fftConvolve), slope(directly)];
    expect(far(numbers(jit(fftConvolve)(at.x, at.kernel)), numbers(directly(at.x, at.kernel)))).toBeLessThan(1e-5);
    for (const name of ["x", "kernel"] as const) {
      const size = Math.max(1, ...numbers(wanted.grads[name]).map(Math.abs));
      expect(far(numbers(got.grads[name]), numbers(wanted.grads[name])) / size).toBeLessThan(1e-5);
    }
  });

  test("shifts by the place of a single tap, at 2,048 places too", () => {
    const x = drawn("shifted", [2, 2048, 1]);
    const kernel = tf.oneHot(tf.tensor1d([1000], "int32"), 2048);
    const y = numbers(fftConvolve(x, tf.cast(kernel, "float32")));
    const wanted = numbers(
      tf.pad(tf.slice(x, [0, 0, 0], [2, 1048, 1]), [
        [0, 0],
        [1000, 0],
        [0, 0],
      ]),
    );
    expect(far(y, wanted)).toBeLessThan(1e-5);
  });

  test("says what it needs", () => {
    expect(() => fftConvolve(tf.ones([1, 4, 2]), tf.ones([2, 5]))).toThrow("got [1,4,2] and [2,5]");
  });
});

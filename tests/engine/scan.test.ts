/** Loops within a program against the same passes written out, and their gradients against those of the written out ones. */
import { exportOnnx, importOnnx, jit, random, scan, steps, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

const [length, rows, units] = [7, 3, 4];
const drawn = (name: string, ...shape: number[]): tf.Tensor => random(1).at(name).normals(shape, 0, 0.5);
const params = () => ({ kernel: drawn("kernel", units, units), bias: drawn("bias", units) });
type Params = ReturnType<typeof params>;
const xs = drawn("xs", length, rows, units);
const first = drawn("first", rows, units);
const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];

/** A recurrent network whose state is a pair, one of them of another shape. */
const pass = (
  { h, sum }: { h: tf.Tensor; sum: tf.Tensor },
  x: tf.Tensor,
  { kernel, bias }: Params,
): readonly [{ h: tf.Tensor; sum: tf.Tensor }, tf.Tensor] => {
  const next = tf.tanh(tf.add(tf.add(tf.matMul(h as tf.Tensor2D, kernel as tf.Tensor2D), x), bias));
  return [{ h: next, sum: tf.add(sum, tf.mean(next, 1)) }, tf.mul(next, tf.sigmoid(x))];
};

/** The same as a plain loop. */
function plainly(first: tf.Tensor, xs: tf.Tensor, own: Params, reverse: boolean) {
  let state = { h: first, sum: tf.zeros([rows]) as tf.Tensor };
  const ys: tf.Tensor[] = new Array(length);
  for (let k = 0; k < length; k++) {
    const at = reverse ? length - 1 - k : k;
    [state, ys[at]] = pass(state, tf.squeeze(tf.slice(xs, [at], [1]), [0]), own);
  }
  return [state, tf.stack(ys)] as const;
}
const looped = (first: tf.Tensor, xs: tf.Tensor, own: Params, reverse: boolean) =>
  scan(pass, { h: first, sum: tf.zeros([rows]) as tf.Tensor }, xs, own, { reverse });

type Way = typeof looped | typeof plainly;
const lossBy =
  (way: Way, reverse = false) =>
  ({ first, xs, own }: { first: tf.Tensor; xs: tf.Tensor; own: Params }): tf.Scalar => {
    const [state, ys] = way(first, xs, own, reverse);
    const weights = tf.range(1, 1 + ys.size).reshape(ys.shape);
    return tf.add(tf.sum(tf.mul(tf.sin(weights), tf.square(ys))), tf.sum(tf.mul(state.sum, 3))) as tf.Scalar;
  };
const close = (got: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, digits);
  });
};

describe("scan", () => {
  test.each([false, true])(
    "gives what the passes written out give, in a program and outside of one (reverse: %s)",
    (reverse) => {
      const own = params();
      const [state, ys] = plainly(first, xs, own, reverse);
      for (const run of [looped, jit(looped)]) {
        const [last, all] = run(first, xs, own, reverse);
        expect(all.shape).toEqual([length, rows, units]);
        close(numbers(all), numbers(ys));
        close(numbers(last.h), numbers(state.h));
        close(numbers(last.sum), numbers(state.sum));
      }
    },
  );

  test.each([false, true])(
    "has their gradient by the first state, the inputs and the constants (reverse: %s)",
    (reverse) => {
      const at = { first, xs, own: params() };
      const wanted = valueAndGrad(lossBy(plainly, reverse), at);
      const got = jit((at: { first: tf.Tensor; xs: tf.Tensor; own: Params }) =>
        valueAndGrad(lossBy(looped, reverse), at),
      )(at);
      close(numbers(got.value), numbers(wanted.value), 4);
      close(numbers(got.grads.first), numbers(wanted.grads.first));
      close(numbers(got.grads.xs), numbers(wanted.grads.xs));
      close(numbers(got.grads.own.kernel), numbers(wanted.grads.own.kernel), 4);
      close(numbers(got.grads.own.bias), numbers(wanted.grads.own.bias), 4);
    },
  );

  test("can be differentiated again: the gradient of a gradient's length", () => {
    const own = params();
    const slope = (way: Way) => (kernel: tf.Tensor) =>
      valueAndGrad((kernel: tf.Tensor) => {
        const { grads } = valueAndGrad((own: Params) => lossBy(way)({ first, xs, own }), { ...own, kernel });
        return tf.add(tf.sum(tf.square(grads.kernel)), tf.sum(tf.square(grads.bias)));
      }, kernel).grads;
    const wanted = numbers(slope(plainly)(own.kernel));
    const got = numbers(jit(slope(looped))(own.kernel));
    const size = Math.max(...wanted.map(Math.abs));
    close(
      got.map((v) => v / size),
      wanted.map((v) => v / size),
    );
  });

  test("is one pass in the program, however many places there are, also within steps", () => {
    const train = steps((own: Params, x: tf.Tensor) => {
      const { value, grads } = valueAndGrad((own: Params) => lossBy(looped)({ first, xs: x, own }), own);
      const next = {
        kernel: tf.sub(own.kernel, tf.mul(grads.kernel, 0.01)),
        bias: tf.sub(own.bias, tf.mul(grads.bias, 0.01)),
      };
      return [next, value] as const;
    });
    const two = tf.stack([xs, tf.mul(xs, 0.5)]);
    const [after, losses] = train(params(), two, null);
    let own = params();
    const wanted = [0, 1].map((k) => {
      const x = tf.squeeze(tf.slice(two, [k], [1]), [0]);
      const { value, grads } = valueAndGrad((own: Params) => lossBy(plainly)({ first, xs: x, own }), own);
      own = {
        kernel: tf.sub(own.kernel, tf.mul(grads.kernel, 0.01)),
        bias: tf.sub(own.bias, tf.mul(grads.bias, 0.01)),
      };
      return numbers(value)[0]!;
    });
    close(numbers(losses), wanted, 4);
    close(numbers(after.kernel), numbers(own.kernel));
  });

  test("a loop in a loop, with what the outer one carries", () => {
    const inner = (sum: tf.Tensor, x: tf.Tensor, by: tf.Tensor) => [tf.add(sum, tf.mul(x, by)), {}] as const;
    const outer = (sum: tf.Tensor, row: tf.Tensor) => {
      const [total] = scan(inner, tf.scalar(0) as tf.Tensor, row, sum);
      return [tf.add(sum, total), sum] as const;
    };
    const run = jit((x: tf.Tensor) =>
      valueAndGrad((x: tf.Tensor) => scan(outer, tf.scalar(1) as tf.Tensor, x, {})[0], x),
    );
    const { value, grads } = run(
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
    );
    // s ← s (1 + Σ row): (1 + 3) (1 + 7)
    expect(numbers(value)[0]).toBeCloseTo(32, 5);
    close(numbers(grads), [8, 8, 4, 4]);
  });

  test("is a file of standard operators for any batch", () => {
    const own = params();
    const fn = (x: tf.Tensor): tf.Tensor => {
      const start = { h: tf.zeros([x.shape[0]!, units]) as tf.Tensor, sum: tf.zeros([x.shape[0]!]) as tf.Tensor };
      return tf.transpose(scan(pass, start, tf.transpose(x, [1, 0, 2]), own)[1], [1, 0, 2]);
    };
    const opened = importOnnx(exportOnnx(fn, [tf.zeros([2, length, units])], { batch: "any" }));
    for (const n of [1, 5]) {
      const x = drawn("x", n, length, units);
      close(numbers(opened(x)[0]!), numbers(fn(x)));
    }
  });

  test("outside of a program is a loop as well, unless the function reads numbers", () => {
    const own = params();
    let passes = 0;
    const counted: typeof pass = (...given) => {
      passes++;
      return pass(...given);
    };
    const start = (): { h: tf.Tensor; sum: tf.Tensor } => ({ h: first, sum: tf.zeros([rows]) as tf.Tensor });
    const lazily = tf.tidy(() => scan(counted, start(), tf.add(xs, 1), own)[1]);
    expect(passes).toBe(1);
    close(numbers(lazily), numbers(plainly(first, tf.add(xs, 1), own, false)[1]));
    const reading: typeof pass = (state, x, own) => pass(state, tf.mul(x, x.dataSync()[0]! < 9 ? 1 : 2), own);
    close(numbers(scan(reading, start(), xs, own)[1]), numbers(plainly(first, xs, own, false)[1]));
  });

  test("says what it needs", () => {
    const other = tf.ones([rows, units]);
    const sum = (state: tf.Tensor, x: tf.Tensor) => [tf.add(state, x), x] as const;
    const run = jit((xs: tf.Tensor, other: tf.Tensor) =>
      scan((state: tf.Tensor, x: tf.Tensor) => [tf.add(state, tf.mul(x, other)), x] as const, other, xs, {}),
    );
    expect(() => run(xs, other)).toThrow("pass that among the constants, or with an axis of places among the inputs");
    expect(() => jit((xs: tf.Tensor) => scan(sum, tf.scalar(0) as tf.Tensor, xs, {}))(xs)).toThrow(
      "scan: a state that keeps its shapes is required, got float32 [] and then float32 [3,4]",
    );
    expect(() => scan(sum, other, tf.zeros([0, 2]), {})).toThrow("a leading axis of at least 1 are required");
    expect(() => scan((s: tf.Tensor, _: tf.Tensor[]) => [s, s] as const, other, [xs, other], {})).toThrow(
      "one leading axis are required, got lengths 7 and 3",
    );
  });

  test("leaves no tensors behind", () => {
    const train = jit((at: { first: tf.Tensor; xs: tf.Tensor; own: Params }) => valueAndGrad(lossBy(looped), at));
    const at = { first, xs, own: params() };
    const once = (): void => tf.dispose(train(at) as never);
    once();
    const before = tf.memory().numTensors;
    once();
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** Compiled functions do what plain ones do, and say what they cannot do. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { disposeTree, jit, type Rng, random, steps, tf, valueAndGrad } from "../../lib/engine/index.ts";
import {
  adam,
  type Batch,
  batch,
  cnn,
  gru,
  mlp,
  momentum,
  type Optimizer,
  type Program,
  resnet18,
  type State,
  sgd,
  start,
  trainer,
  vit,
} from "./support.ts";

const numbers = (x: tf.Tensor): number[] => [...x.dataSync()];
const weights = (state: State): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(state.params).map(([key, value]) => [key, value.dataSync().slice() as Float32Array]),
  );

function distance(got: Record<string, Float32Array>, want: Record<string, Float32Array>): number {
  let worst = 0;
  for (const [key, expected] of Object.entries(want)) {
    const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6);
    expected.forEach((x, i) => {
      worst = Math.max(worst, Math.abs(x - got[key]![i]!) / scale);
    });
  }
  return worst;
}

const small = { mlp: mlp([12, 16, 16, 5]), cnn: cnn(12, [4, 6], 16) };
const larger = { "ResNet-18": resnet18(4, 16), ViT: vit(8, 2, 2, 5, 6), GRU: gru() };
const optimizers: Record<string, Optimizer> = { sgd, momentum, adam };
const batches = (program: Program, count: number): Batch[] =>
  Array.from({ length: count }, (_, i) => batch(program, 6, i));

const rateOf = (optimizer: Optimizer): tf.Scalar => tf.scalar(optimizer === adam ? 0.005 : 0.05);

function onReference(program: Program, optimizer: Optimizer, count: number): Record<string, Float32Array> {
  void tf.setBackend("cpu");
  const step = trainer(program, optimizer);
  let state = start(program, optimizer);
  for (const one of batches(program, count)) [state] = step(state, one, null, rateOf(optimizer));
  const out = weights(state);
  void tf.setBackend("thalweg");
  return out;
}

describe("jit", () => {
  afterEach(() => {
    vi.restoreAllMocks();
    void tf.setBackend("thalweg");
  });

  for (const [model, program] of Object.entries({ ...small, ...larger })) {
    for (const [name, optimizer] of Object.entries(optimizers)) {
      if (model in larger && name === "sgd") continue;
      it(`trains the ${model} with ${name} to the weights of tfjs-cpu, by single steps, by loops and lazily`, () => {
        const want = onReference(program, optimizer, 5);
        const tolerance = name === "adam" ? 1e-3 : 1e-4;
        const step = jit(trainer(program, optimizer), { donate: [0] });
        let state = start(program, optimizer);
        for (const one of batches(program, 5)) [state] = step(state, one, null, rateOf(optimizer));
        expect(distance(weights(state), want)).toBeLessThan(tolerance);

        const many = steps(trainer(program, optimizer));
        const all = batches(program, 5);
        const xs = { x: tf.stack(all.map(({ x }) => x)), y: tf.stack(all.map(({ y }) => y)) };
        const [last, losses] = many(start(program, optimizer), xs, null, rateOf(optimizer));
        expect(losses.shape).toEqual([5]);
        expect(distance(weights(last), want)).toBeLessThan(tolerance);

        let lazy = start(program, optimizer);
        for (const one of all) [lazy] = trainer(program, optimizer)(lazy, one, null, rateOf(optimizer));
        expect(distance(weights(lazy), want)).toBeLessThan(tolerance);
      });
    }
  }

  it("gives bit-identical results every time", () => {
    const run = (): Record<string, Float32Array> => {
      const step = jit(trainer(small.cnn, adam), { donate: [0] });
      let state = start(small.cnn, adam);
      for (const one of batches(small.cnn, 4)) [state] = step(state, one, null, tf.scalar(0.05));
      return weights(state);
    };
    expect(run()).toEqual(run());
  });

  it("draws the noise of a plain call, call after call", () => {
    const fn = (x: tf.Tensor, rng: Rng): tf.Tensor => {
      const dropped = tf.mul(x, tf.cast(tf.less(rng.at("drop").uniforms([4]), 0.5), "float32"));
      return tf.add(dropped, rng.normals([4], 1, 2));
    };
    const compiled = jit(fn);
    const [one, two] = [random(3), random(3)];
    for (let i = 0; i < 3; i++) expect(numbers(compiled(tf.ones([4]), one))).toEqual(numbers(fn(tf.ones([4]), two)));
    expect(one.toJSON()).toEqual(two.toJSON());
  });

  it("draws each step's noise from its own source in a loop", () => {
    const fn = (state: tf.Tensor, x: tf.Tensor, rng: Rng | null): [tf.Tensor, tf.Tensor] => {
      const next = tf.add(tf.mul(state, x), rng!.uniforms([3]));
      return [next, tf.sum(next)];
    };
    const rngs = (): Rng[] => [0, 1, 2, 3].map((k) => random(9).at(k));
    const xs = tf.tensor1d([1, 0.5, 2, -1]);
    const [last, sums] = steps(fn)(tf.zeros([3]), xs, rngs());
    let state: tf.Tensor = tf.zeros([3]);
    const want = rngs().map((rng, k) => {
      const [next, sum] = fn(state, tf.scalar(xs.arraySync()[k]!), rng);
      state = next;
      return sum.arraySync() as number;
    });
    expect(numbers(last)).toEqual(numbers(state));
    numbers(sums).forEach((got, k) => {
      expect(got).toBeCloseTo(want[k]!, 6);
    });
  });

  it("leaves its arguments alone, and consumes those that are donated", () => {
    const fn = (a: { w: tf.Tensor }, b: tf.Tensor) => ({ sum: tf.add(a.w, b), same: a.w });
    const [w, b] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    const kept = jit(fn)({ w }, b);
    expect([w.isDisposed, b.isDisposed]).toEqual([false, false]);
    const taken = jit(fn, { donate: [0] })({ w }, b);
    expect([w.isDisposed, b.isDisposed]).toEqual([true, false]);
    expect([numbers(taken.same), numbers(kept.same), numbers(taken.sum)]).toEqual([
      [1, 2],
      [1, 2],
      [4, 6],
    ]);
  });

  it("never overwrites numbers that were handed out", () => {
    const next = jit((x: tf.Tensor) => tf.add(x, 1), { donate: [0] });
    let x: tf.Tensor = tf.zeros([1000]);
    const seen: Float32Array[] = [];
    for (let i = 0; i < 5; i++) {
      x = next(x);
      seen.push(x.dataSync() as Float32Array);
    }
    expect(seen.map((data) => [data[0], data[999]])).toEqual([1, 2, 3, 4, 5].map((n) => [n, n]));
  });

  it("owns nothing afterwards: tensors are those of the result", () => {
    const step = jit(trainer(small.cnn, momentum), { donate: [0] });
    let state = start(small.cnn, momentum);
    const [one, rate] = [batch(small.cnn, 6, 0), tf.scalar(0.1)];
    const once = (): void => {
      const [next, loss] = step(state, one, null, rate);
      state = next;
      loss.dispose();
    };
    once();
    const before = tf.memory();
    for (let i = 0; i < 20; i++) once();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
    disposeTree(state);
  });

  it("takes other shapes, numbers and texts as other signatures, and tensors as inputs", () => {
    let traced = 0;
    const fn = jit((x: tf.Tensor, times: number, how: { op: string }) => {
      traced++;
      return how.op === "mul" ? tf.mul(x, times) : tf.add(x, times);
    });
    expect(numbers(fn(tf.tensor1d([1, 2]), 3, { op: "mul" }))).toEqual([3, 6]);
    expect(numbers(fn(tf.tensor1d([5, 6]), 3, { op: "mul" }))).toEqual([15, 18]);
    expect(traced).toBe(1);
    expect(numbers(fn(tf.tensor1d([5, 6]), 3, { op: "add" }))).toEqual([8, 9]);
    expect(numbers(fn(tf.tensor1d([5, 6]), 4, { op: "add" }))).toEqual([9, 10]);
    expect(numbers(fn(tf.tensor1d([5]), 4, { op: "add" }))).toEqual([9]);
    expect(traced).toBe(4);
  });

  it("reads and assigns variables at every call, those of a tf.train optimizer too", () => {
    const w = tf.variable(tf.tensor1d([1, 1]));
    const optimizer = tf.train.adam(0.1);
    const step = jit(
      (x: tf.Tensor) => optimizer.minimize(() => tf.sum(tf.square(tf.sub(tf.mul(w, x), 3))), true, [w])!,
    );
    const plain = tf.variable(tf.tensor1d([1, 1]));
    const other = tf.train.adam(0.1);
    for (let i = 0; i < 4; i++) {
      const x = tf.tensor1d([1 + i, 2]);
      const loss = step(x);
      const want = other.minimize(() => tf.sum(tf.square(tf.sub(tf.mul(plain, x), 3))), true, [plain])!;
      // The reference counts its steps on the host; the compiled function cannot see that, so only the first step is compared.
      if (i === 0) {
        expect(numbers(loss)[0]).toBeCloseTo(numbers(want)[0]!, 5);
        numbers(w).forEach((got, at) => {
          expect(got).toBeCloseTo(numbers(plain)[at]!, 5);
        });
      }
    }
    expect(numbers(w)).not.toEqual([1, 1]);
    w.dispose();
    plain.dispose();
  });

  it("differentiates twice", () => {
    const fn = jit((x: tf.Tensor) =>
      tf.grad((y: tf.Tensor) => tf.sum(tf.grad((z: tf.Tensor) => tf.sum(tf.mul(z, tf.square(z))))(y)))(x),
    );
    expect(numbers(fn(tf.tensor1d([1, 2, 3])))).toEqual([6, 12, 18]);
  });

  it.each([
    ["exp", (x: tf.Tensor) => tf.exp(x)],
    ["tanh", (x: tf.Tensor) => tf.tanh(x)],
    ["sigmoid", (x: tf.Tensor) => tf.sigmoid(x)],
    ["softmax", (x: tf.Tensor) => tf.square(tf.softmax(x))],
  ])("differentiates %s twice, as the difference of its gradients says", (_, fn) => {
    const slope = (x: tf.Tensor): tf.Tensor => tf.grad((at: tf.Tensor) => tf.sum(fn(at)))(x);
    const [x, v] = [tf.tensor1d([0.3, -0.8, 1.1]), tf.tensor1d([1, -0.5, 0.7])];
    const along = (x: tf.Tensor): tf.Tensor => tf.grad((at: tf.Tensor) => tf.sum(tf.mul(slope(at), v)))(x);
    const near = 1e-2;
    const by = tf.div(tf.sub(slope(tf.add(x, tf.mul(v, near))), slope(tf.sub(x, tf.mul(v, near)))), 2 * near);
    for (const found of [jit(along)(x), along(x)])
      for (const [i, value] of numbers(found).entries()) expect(value).toBeCloseTo(numbers(by)[i]!, 3);
  });

  it("scales batches of products by numbers, before and after, and still hands out the plain product", () => {
    const a = tf.tensor3d([[[1, 2]], [[3, 4]]]);
    const b = tf.tensor3d([[[5, 6]], [[7, 8]]]);
    const scaled = jit((a: tf.Tensor, b: tf.Tensor) => {
      const product = tf.matMul(a, b, false, true);
      const before = tf.matMul(tf.mul(a, 3), tf.mul(b, 0.5), false, true);
      return [product, tf.mul(product, 10), tf.mul(before, 7)];
    });
    // 1·5 + 2·6 = 17 and 3·7 + 4·8 = 53; 3 · 0.5 · 7 = 10.5.
    const numbers = scaled(a, b).map((t) => [...t.dataSync()]);
    expect(numbers).toEqual([
      [17, 53],
      [170, 530],
      [178.5, 556.5],
    ]);
  });

  it("agrees with finite differences in double precision", () => {
    const fn = jit((p: { w: tf.Tensor }, x: tf.Tensor) => {
      const { value, grads } = valueAndGrad(
        (q: { w: tf.Tensor }) => tf.mean(tf.square(tf.tanh(tf.matMul(x as tf.Tensor2D, q.w as tf.Tensor2D)))),
        p,
      );
      return { value, grad: grads.w };
    });
    const w = [0.3, -0.2, 0.5, 0.1, 0.7, -0.4];
    const x = [1, 2, -1, 0.5, 0.2, 0.8];
    const value = (at: number[]): number => {
      let sum = 0;
      for (let i = 0; i < 2; i++)
        for (let j = 0; j < 2; j++)
          sum += Math.tanh([0, 1, 2].reduce((s, k) => s + x[i * 3 + k]! * at[k * 2 + j]!, 0)) ** 2;
      return sum / 4;
    };
    const { grad } = fn({ w: tf.tensor2d(w, [3, 2]) }, tf.tensor2d(x, [2, 3]));
    numbers(grad).forEach((got, i) => {
      const moved = (by: number): number[] => w.map((v, k) => (k === i ? v + by : v));
      expect(got).toBeCloseTo((value(moved(1e-5)) - value(moved(-1e-5))) / 2e-5, 5);
    });
  });

  it("says which operation, which shapes and which line do not fit", () => {
    const fn = jit((a: tf.Tensor2D, b: tf.Tensor2D) => tf.matMul(a, b), { name: "product" });
    expect(() => fn(tf.ones([2, 3]), tf.ones([4, 5]))).toThrow(/product: .*matMul.*2,3.*4,5.*jit\.test\.ts:\d+/s);
  });

  it("warns once, with kernel, line and remedy, and runs lazily what it cannot compile", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const decides = jit((x: tf.Tensor) => (tf.sum(x).dataSync()[0]! > 0 ? tf.mul(x, 2) : tf.neg(x)), {
      name: "decides",
    });
    expect(numbers(decides(tf.tensor1d([1, 2])))).toEqual([2, 4]);
    expect(numbers(decides(tf.tensor1d([-1, -2])))).toEqual([1, 2]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toMatch(/decides runs uncompiled.*were read.*jit\.test\.ts:\d+.*tf\.where/);
    const unknown = jit((x: tf.Tensor2D) => tf.linalg.bandPart(tf.unique(x).values, 1, 1), { name: "unknown" });
    unknown(
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
    );
    expect(warn.mock.calls[1]![0]).toMatch(/Unique/);
  });

  it("refuses to freeze random numbers of the host, and says what to write instead", () => {
    const own = random(1);
    const draws: [string, (x: tf.Tensor, rng: Rng) => tf.Tensor, RegExp][] = [
      [
        "tf.randomUniform",
        (x) => tf.add(x, tf.randomUniform([2])),
        /tf\.randomUniform draws on the host.*rng\.uniforms/,
      ],
      ["tf.dropout", (x) => tf.dropout(x, 0.5), /tf\.dropout draws on the host/],
      ["Math.random", (x) => tf.mul(x, Math.random()), /Math\.random draws on the host/],
      ["a generator from outside", (x) => tf.add(x, own.normals([2])), /from outside.*pass the Rng as an argument/],
      ["a number from an argument", (x, rng) => tf.add(x, rng.int(3)), /drawn on the host.*rng\.uniforms/],
    ];
    for (const [name, body, message] of draws) {
      const fn = jit(body, { name: "noisy" });
      expect(() => fn(tf.zeros([2]), random(2)), name).toThrow(message);
      expect(() => fn(tf.zeros([2]), random(2)), name).toThrow(/^noisy: .*\(at .*jit\.test\.ts:\d+/);
    }
    expect(Math.random()).not.toBe(Math.random());
    expect(own.toJSON()).toEqual(random(1).toJSON());
  });

  it("compiles random numbers that a seed within fixes: they are the same in a plain call", () => {
    const own = random(1);
    const fn = (x: tf.Tensor): tf.Tensor =>
      tf.addN([x, tf.randomUniform([3], 0, 1, "float32", 7), random(5).normals([3]), own.at("child").normals([3])]);
    expect(numbers(jit(fn)(tf.zeros([3])))).toEqual(numbers(fn(tf.zeros([3]))));
  });

  it("can be called inside another compiled function and under a tape", () => {
    const inner = jit((x: tf.Tensor) => tf.square(x));
    const outer = jit((x: tf.Tensor) => tf.add(inner(x), 1));
    expect(numbers(outer(tf.tensor1d([2, 3])))).toEqual([5, 10]);
    expect(numbers(tf.grad((x: tf.Tensor) => tf.sum(inner(x)))(tf.tensor1d([2, 3])))).toEqual([4, 6]);
  });

  it("consumes the state of a loop, unless it is to be kept, compiled or not", () => {
    const add = (s: tf.Tensor, x: tf.Tensor): [tf.Tensor, tf.Tensor] => [tf.add(s, x), tf.mul(s, x)];
    const xs = tf.tensor1d([1, 2, 3]);
    for (const device of ["thalweg", "cpu"]) {
      void tf.setBackend(device);
      for (const keep of [false, true]) {
        const state = tf.scalar(5);
        const [last, seen] = steps(add, { keep })(state, xs, null);
        expect([numbers(last), numbers(seen), state.isDisposed]).toEqual([[11], [5, 12, 24], !keep]);
      }
    }
  });

  it("refuses a loop whose state changes shape", () => {
    const grow = steps((s: tf.Tensor, x: tf.Tensor): [tf.Tensor, tf.Tensor] => [tf.concat([s, tf.reshape(x, [1])]), x]);
    expect(() => grow(tf.zeros([1]), tf.zeros([3]), null)).toThrow(/state whose shapes stay, got \[1\] and then \[2\]/);
  });

  it("carries filters and frozen tensors through a loop", () => {
    const fn = (s: { k: tf.Tensor; frozen: tf.Tensor }, x: tf.Tensor): [typeof s, tf.Tensor] => {
      const { value, grads } = valueAndGrad(
        (k: tf.Tensor) => tf.mean(tf.square(tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, "same"))),
        s.k,
      );
      return [{ k: tf.sub(s.k, tf.mul(grads, 0.1)), frozen: s.frozen }, value];
    };
    const state = () => ({ k: random(1).normals([3, 3, 2, 4]), frozen: tf.tensor1d([7]) as tf.Tensor });
    const xs = random(2).normals([3, 2, 5, 5, 2]);
    const [last] = steps(fn)(state(), xs, null);
    let s = state();
    for (const x of tf.unstack(xs)) [s] = fn(s, x);
    expect(last.k.shape).toEqual([3, 3, 2, 4]);
    numbers(last.k).forEach((got, i) => {
      expect(got).toBeCloseTo(numbers(s.k)[i]!, 5);
    });
    expect(numbers(last.frozen)).toEqual([7]);
  });
});

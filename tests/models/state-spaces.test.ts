/** Linear systems with a state: all places at once against place by place, and the formulas and programs that they come from. */
import {
  hippoMatrices,
  jit,
  leaves,
  type Measure,
  type Model,
  mapTensors,
  net,
  type Params,
  random,
  tape,
  tf,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { hippoSteps, legsFactors } from "../../lib/models/parts/hippo-steps.ts";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const far = (got: readonly number[], wanted: readonly number[]): number => {
  expect(got.length).toBe(wanted.length);
  return Math.max(...got.map((value, i) => Math.abs(value - wanted[i]!)));
};
const mode = tape(false, null, {}).mode;
const cut = (x: tf.Tensor, from: number, count: number): tf.Tensor =>
  tf.slice(x, [0, from], [x.shape[0]!, count, ...x.shape.slice(2)].slice(0, 2));

/** Layers of a width of 4, each with a length that takes it through more than one chunk. */
const layers: [string, unknown, number][] = [
  ["s4d", net().s4d(6), 70],
  ["s4d lin", net().s4d(6, { modes: "inv", mix: "none" }), 70],
  ["s4d legs", net().s4d(6, { modes: "legs" }), 9],
  ["s4", net().s4(6), 70],
  ["s5", net().s5(8, { blocks: 2 }), 70],
  ["mamba", net().mamba({ state: 3 }), 30],
  ["gateLoop", net().gateLoop(), 30],
  ["hippo", net().hippo(4, { order: 3 }), 12],
  ["hippo legt", net().hippo(4, { order: 3, measure: "legt", window: 9 }), 12],
];

describe.each(layers)("%s", (_, given, length) => {
  const model = given as Model;
  const layer = model.stack![0]!;
  const params = model.init(random(2), [length, 4]);
  const own = params[model.names![0]!] as Params;
  const x = random(1).normals([2, length, 4], 0, 1);

  test("gives at all places at once what it gives piece by piece", () => {
    const whole = numbers(jit((x: tf.Tensor) => model.apply(params, x, mode))(x));
    const pieces = jit((x: tf.Tensor) => {
      let states: readonly tf.Tensor[] | null = null;
      const all: tf.Tensor[] = [];
      for (const [from, count] of [
        [0, 1],
        [1, 5],
        [6, length - 6],
      ] as const) {
        const [y, after] = layer.recurs!(cut(x, from, count), own, mode, states, tf.ones([2, count]));
        states = after;
        all.push(y);
      }
      return tf.concat(all, 1);
    })(x);
    expect(far(numbers(pieces), whole)).toBeLessThan(1e-5);
  });

  test("forgets what was before where a sequence begins", () => {
    const [begin, first] = [4, 3];
    const keep = tf.tensor2d(
      Array.from({ length: 2 * 6 }, (_, i) => (i === begin - first ? 0 : 1)),
      [2, 6],
    );
    const [, states] = layer.recurs!(cut(x, 0, first), own, mode, null, tf.ones([2, first]));
    const [y, after] = layer.recurs!(cut(x, first, 6), own, mode, states, keep);
    const anew = model.apply(params, cut(x, begin, 5), mode);
    const through = model.apply(params, cut(x, 0, 9), mode);
    const row = (of: tf.Tensor, n: number, from: number, count: number): number[] =>
      numbers(tf.slice(of, [n, from, 0], [1, count, of.shape[2]!]));
    expect(far(row(y, 0, begin - first, 5), row(anew, 0, 0, 5))).toBeLessThan(1e-5);
    expect(far(row(y, 1, 0, 6), row(through, 1, first, 6))).toBeLessThan(1e-5);
    // and what comes after that piece knows of the new sequence alone
    const [next] = layer.recurs!(cut(x, 9 - 2, 2), own, mode, after, tf.ones([2, 2]));
    const [, fresh] = layer.recurs!(cut(x, begin, 5), own, mode, null, tf.ones([2, 5]));
    const [wanted] = layer.recurs!(cut(x, 9 - 2, 2), own, mode, fresh, tf.ones([2, 2]));
    expect(far(row(next, 0, 0, 2), row(wanted, 0, 0, 2))).toBeLessThan(1e-5);
  });

  test("has the slope of finite differences", () => {
    const at = { params, x };
    const loss = jit(({ params, x }: typeof at) => {
      const y = model.apply(params, x, mode);
      return tf.mean(tf.mul(y, tf.cos(tf.reshape(tf.range(0, y.size), y.shape))));
    });
    const { grads } = jit((given: typeof at) =>
      valueAndGrad(({ params, x }: typeof at) => {
        const y = model.apply(params, x, mode);
        return tf.mean(tf.mul(y, tf.cos(tf.reshape(tf.range(0, y.size), y.shape))));
      }, given),
    )(at);
    let seed = 3;
    const direction = mapTensors((t) => random(seed++).normals(t.shape, 0, 1), at);
    const step = 2e-3;
    const moved = (by: number): number =>
      numbers(loss(mapTensors((t, d) => tf.add(t, tf.mul(d, by)), at, direction)))[0]!;
    const slope = (moved(step) - moved(-step)) / (2 * step);
    const grad = leaves(grads).reduce((sum, g, i) => sum + numbers(tf.sum(tf.mul(g, leaves(direction)[i]!)))[0]!, 0);
    expect(Math.abs(slope - grad)).toBeLessThan(2e-3 + 0.03 * Math.abs(grad));
  });
});

const applied = (given: unknown, params: Params, x: tf.Tensor): number[] =>
  numbers(jit((x: tf.Tensor) => (given as Model).apply(params, x, mode))(x));
type Z = readonly [re: number, im: number];
const times = ([a, b]: Z, [c, d]: Z): Z => [a * c - b * d, a * d + b * c];
const over = (x: Z, [c, d]: Z): Z => times(x, [c / (c * c + d * d), -d / (c * c + d * d)]);
const exp = ([re, im]: Z): Z => [Math.exp(re) * Math.cos(im), Math.exp(re) * Math.sin(im)];
const complexOf = (of: unknown): Z[] => {
  const { re, im } = of as { readonly re: tf.Tensor; readonly im: tf.Tensor };
  const ims = numbers(im);
  return numbers(re).map((re, i) => [re, ims[i]!]);
};
/** A unit at the first place of one channel of a sequence. */
const unit = (length: number, channel = 0, channels = 1): tf.Tensor =>
  tf.tensor3d(
    Array.from({ length: length * channels }, (_, i) => (i === channel ? 1 : 0)),
    [1, length, channels],
  );

describe("s4d and s5 by their formulas", () => {
  test("s4d answers a unit with 2 Re Σ C (Ā − 1)/A Āᵗ, and D at once", () => {
    const model = net().s4d(6, { mix: "none" });
    const params = (model as unknown as Model).init(random(3), [80, 1]);
    const own = params["1-s4d"] as Params;
    const step = Math.exp(numbers(own.logStep as tf.Tensor)[0]!);
    const modes = numbers(own.decay as tf.Tensor).map(
      (decay, i): Z => [-Math.exp(decay), numbers(own.frequency as tf.Tensor)[i]!],
    );
    expect(modes.flatMap(([re, im]) => [re, im / Math.PI])).toEqual(
      [-0.5, 0, -0.5, 1, -0.5, 2].map((v) => expect.closeTo(v, 5)),
    );
    const c = complexOf(own.readout);
    const wanted = Array.from({ length: 80 }, (_, t) =>
      modes.reduce(
        (sum, a, i) => {
          const once = exp([a[0] * step, a[1] * step]);
          const b = over([once[0] - 1, once[1]], a);
          return sum + 2 * times(times(c[i]!, b), exp([a[0] * step * t, a[1] * step * t]))[0];
        },
        t === 0 ? numbers(own.skip as tf.Tensor)[0]! : 0,
      ),
    );
    expect(far(applied(model, params, unit(80)), wanted)).toBeLessThan(1e-5);
  });

  test("s5 steps x ← Λ̄ x + B̄ u with the zero-order hold, over all channels", () => {
    const model = net().s5(4, { mix: "none" });
    const params = (model as unknown as Model).init(random(4), [40, 2]);
    const own = params["1-s5"] as Params;
    const [b, c] = [complexOf(own.input), complexOf(own.readout)];
    const steps = numbers(own.logStep as tf.Tensor).map(Math.exp);
    const modes = numbers(own.decay as tf.Tensor).map(
      (decay, i): Z => [-Math.exp(decay), numbers(own.frequency as tf.Tensor)[i]!],
    );
    const wanted = Array.from({ length: 40 }, (_, t) =>
      [0, 1].map((channel) =>
        modes.reduce(
          (sum, a, m) => {
            const once = exp([a[0] * steps[m]!, a[1] * steps[m]!]);
            // B is [width, modes], C [modes, width]
            const enters = times(over([once[0] - 1, once[1]], a), b[2 + m]!);
            const grown = exp([a[0] * steps[m]! * t, a[1] * steps[m]! * t]);
            return sum + 2 * times(c[m * 2 + channel]!, times(grown, enters))[0];
          },
          t === 0 && channel === 1 ? numbers(own.skip as tf.Tensor)[1]! : 0,
        ),
      ),
    );
    expect(far(applied(model, params, unit(40, 1, 2)), wanted.flat())).toBeLessThan(1e-5);
  });

  test("s5 with marks is every episode by itself", () => {
    const [whole, alone] = [net().s5(6, { resets: true }), net().s5(6)];
    const params = (alone as unknown as Model).init(random(5), [30, 3]);
    const x = random(6).normals([1, 45, 3], 0, 1);
    const marks = tf.tensor3d(
      Array.from({ length: 45 }, (_, t) => (t === 7 || t === 29 ? 1 : 0)),
      [1, 45, 1],
    );
    const episodes = [
      [0, 7],
      [7, 22],
      [29, 16],
    ].map(([from, count]) => applied(alone, params, cut(x, from!, count!)));
    expect(far(applied(whole, params, tf.concat([x, marks], 2)), episodes.flat())).toBeLessThan(1e-5);
  });
});

describe("s4", () => {
  test("begins as HiPPO-LegS by the bilinear rule, in another basis", () => {
    const n = 6;
    const model = net().s4(n, { mix: "none" });
    const params = (model as unknown as Model).init(random(7), [70, 1]);
    const own = params["1-s4"] as Params;
    const step = Math.exp(numbers(own.logStep as tf.Tensor)[0]!);
    const { a, b } = hippoMatrices("legs", n);
    // C of the basis of the polynomials: 2 Re(C V*) of the modes that are kept
    const { vectors } = legsFactors(n);
    const c = Array.from({ length: n }, (_, k) =>
      complexOf(own.readout).reduce(
        (sum, c, m) => sum + 2 * times(c, [vectors.re[k * 3 + m]!, -vectors.im[k * 3 + m]!])[0],
        0,
      ),
    );
    const entry = (sign: number) => Float64Array.from(a, (v, i) => (i % (n + 1) === 0 ? 1 : 0) + (sign * step * v) / 2);
    const solve = (right: readonly number[]): number[] => {
      // 1 − Δ/2 A is lower triangular
      const left = entry(-1);
      const x = [...right];
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < i; k++) x[i]! -= left[i * n + k]! * x[k]!;
        x[i]! /= left[i * n + i]!;
      }
      return x;
    };
    const forth = entry(1);
    let x = solve([...b].map((v) => v * step));
    const wanted = Array.from({ length: 70 }, (_, t) => {
      const y = x.reduce((sum, v, i) => sum + v * c[i]!, t === 0 ? numbers(own.skip as tf.Tensor)[0]! : 0);
      x = solve(x.map((_, i) => x.reduce((sum, v, k) => sum + forth[i * n + k]! * v, 0)));
      return y;
    });
    expect(far(applied(model, params, unit(70)), wanted)).toBeLessThan(1e-5);
  });
});

describe("gateLoop", () => {
  test("is attention over the products of the gates between", () => {
    const model = net().gateLoop();
    const params = (model as unknown as Model).init(random(8), [12, 2]);
    const own = params["1-gateLoop"] as { readonly in: Params; readonly out: Params };
    const x = random(9).normals([1, 12, 2], 0, 1);
    const matrix = (t: unknown, columns: number): number[][] => {
      const all = numbers(t as tf.Tensor);
      return Array.from({ length: all.length / columns }, (_, i) => all.slice(i * columns, (i + 1) * columns));
    };
    const given = matrix(
      tf.add(tf.matMul(tf.reshape(x, [12, 2]), own.in.kernel as tf.Tensor2D), own.in.bias as tf.Tensor),
      12,
    );
    const part = (t: number, which: number, channel: number): number => given[t]![which * 2 + channel]!;
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const seen = given.map((_, l) =>
      [0, 1].map((channel) => {
        let sum = 0;
        for (let m = 0; m <= l; m++) {
          let gates: Z = [1, 0];
          for (let j = m + 1; j <= l; j++) {
            const [size, phase] = [sigmoid(part(j, 4, channel)), part(j, 5, channel)];
            gates = times(gates, [size * Math.cos(phase), size * Math.sin(phase)]);
          }
          sum += part(l, 0, channel) * part(m, 1, channel) * part(m, 2, channel) * gates[0];
        }
        const gate = part(l, 3, channel);
        return sum * gate * sigmoid(gate);
      }),
    );
    const wanted = tf.add(tf.matMul(tf.tensor2d(seen), own.out.kernel as tf.Tensor2D), own.out.bias as tf.Tensor);
    expect(far(applied(model, params, x), numbers(wanted))).toBeLessThan(1e-5);
  });
});

describe("hippo", () => {
  /** Coefficients after a signal that is sampled at so many places. */
  const remembered = (
    measure: Measure,
    order: number,
    signal: (x: number) => number,
    places: number,
    window: number,
  ): number[] => {
    const { count, a, b } = hippoSteps(measure, order, places, window);
    let c = new Array<number>(order).fill(0);
    for (let t = 0; t < places; t++) {
      const [at, f] = [count === 1 ? 0 : t, signal((t + 0.5) / places)];
      c = c.map((_, i) => c.reduce((sum, v, k) => sum + a[(at * order + i) * order + k]! * v, b[at * order + i]! * f));
    }
    return c;
  };
  /** Σ cₙ √(2n + 1) Pₙ(2x − 1). */
  const restored = (c: readonly number[], x: number): number => {
    const z = 2 * x - 1;
    let [before, p, sum] = [0, 1, 0];
    c.forEach((coefficient, n) => {
      sum += coefficient * Math.sqrt(2 * n + 1) * p;
      [before, p] = [p, ((2 * n + 1) * z * p - n * before) / (n + 1)];
    });
    return sum;
  };
  const cubic = (x: number): number => 1 - 3 * x + 2 * x * x * x;
  const worst = (c: readonly number[], f: (x: number) => number): number =>
    Math.max(...Array.from({ length: 19 }, (_, i) => Math.abs(restored(c, (i + 1) / 20) - f((i + 1) / 20))));

  test("legs keeps all of the past: a cubic comes back whole, whatever the step of time", () => {
    const [slow, fast] = [400, 800].map((places) => remembered("legs", 4, cubic, places, 1));
    expect(worst(slow!, cubic)).toBeLessThan(0.01);
    expect(far(fast!, slow!)).toBeLessThan(0.005);
    // of a wave the error falls with the order: 6 coefficients, 12
    const wave = (x: number): number => Math.sin(9 * x);
    const [few, many] = [6, 12].map((order) => worst(remembered("legs", order, wave, 2000, 1), wave));
    expect(many! / few!).toBeLessThan(0.1);
  });

  test("legt keeps a window: what comes back of a wave is its last quarter", () => {
    // the window is the last quarter
    const wave = (x: number): number => Math.sin(6 * x);
    const c = remembered("legt", 12, (x) => wave(4 * x - 3), 4000, 1000);
    expect(worst(c, wave)).toBeLessThan(0.05);
  });

  test("has the paper's matrices", () => {
    const r = (n: number): number => Math.sqrt(n);
    expect([...hippoMatrices("legs", 3).a]).toEqual(
      [-1, 0, 0, -r(3), -2, 0, -r(5), -r(5) * r(3), -3].map((v) => expect.closeTo(v, 6)),
    );
    expect([...hippoMatrices("legt", 3).a]).toEqual(
      [-1, r(3), -r(5), -r(3), -3, r(15), -r(5), -r(15), -5].map((v) => expect.closeTo(v, 6)),
    );
    expect([...hippoMatrices("lagt", 2).a]).toEqual([-0.5, 0, -1, -0.5]);
    expect([...hippoMatrices("legs", 3).b]).toEqual([1, r(3), r(5)].map((v) => expect.closeTo(v, 6)));
  });

  test("says what it needs", () => {
    expect(() => net().hippo(4, { measure: "none" as never })).toThrow(
      'a measure "legs", "legt" or "lagt" is required, got "none"',
    );
    expect(() => net().s5(6, { blocks: 2 })).toThrow(
      "s5: half of the state of a block must be a whole number of at least 1, got 1.5",
    );
    expect(() => net().s4d(7)).toThrow("half of state");
    expect(() => net().mamba().features([4])).toThrow("mamba: a sequence of vectors is required, got shape [4]");
  });
});

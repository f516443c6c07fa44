/** Linear systems with a state, all places at once against place by place. The formulas that they come from: state-space-formulas.test.ts. */
import {
  hippoMatrices,
  jit,
  leaves,
  lmuFormer,
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
import { hippoSteps } from "../../lib/models/parts/hippo-steps.ts";
import { goingOn, type States } from "../../lib/models/parts/piece.ts";

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
  ["s4d ptd", net().s4d(6, { modes: "ptd" }), 9],
  ["s4", net().s4(6), 70],
  ["s5", net().s5(8, { blocks: 2 }), 70],
  ["s5 ptd", net().s5(6, { modes: "ptd" }), 9],
  ["mamba", net().mamba({ state: 3 }), 30],
  ["gateLoop", net().gateLoop(), 30],
  ["hippo", net().hippo(4, { order: 3 }), 12],
  ["lssl", net().lssl(5), 70],
  ["lmu", net().lmu(3, { order: 4, window: 20, memories: 2 }), 70],
  ["multires", net().multires({ depth: 4, taps: 3 }), 40],
  ["tcnca", net().tcnca({ chunk: 4, depth: 2, keys: 3 }), 11],
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

test("a spiking lmuFormer, type Measure, lif within, goes along a sequence as it learned from whole ones", () => {
  const model = lmuFormer({ width: 4, order: 3, window: 8, spiking: true }) as Model;
  const params = model.init(random(5), [20, 3]);
  const x = random(6).normals([2, 20, 3], 0, 2);
  const { mode } = tape(false, null, model.statistics([20, 3]));
  const whole = numbers(model.apply(params, x, mode));
  const run = (x: tf.Tensor, states: States | null) =>
    goingOn(
      (piece) => model.apply(params, x, tape(false, null, model.statistics([20, 3]), { piece }).mode),
      states,
      tf.ones(x.shape.slice(0, 2)),
      20,
    );
  const [first, states] = run(cut(x, 0, 7), null);
  const [second] = run(cut(x, 7, 13), states);
  expect(far(numbers(tf.concat([first, second], 1)), whole)).toBeLessThan(1e-4);
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

test("tcnca looks back within its chunk, and beyond it as far as its convolutions do", () => {
  const model = net().tcnca({ chunk: 4, depth: 2, taps: 2, keys: 3 }) as unknown as Model;
  const params = model.init(random(3), [12, 3]);
  const x = random(4).normals([1, 12, 3], 0, 1);
  const run = jit((x: tf.Tensor) => model.apply(params, x, mode));
  const whole = numbers(run(x));
  // convolutions of 2 taps, 1 and 2 apart, see 3 places back; place 9 looks at 8 and 9, which see 5 and later
  const changed = (place: number): boolean[] => {
    const other = numbers(
      run(tf.add(x, tf.mul(tf.oneHot(tf.tensor1d([place], "int32"), 12).reshape([1, 12, 1]), 0.5))),
    );
    return Array.from({ length: 12 }, (_, t) => [0, 1, 2].some((i) => other[3 * t + i] !== whole[3 * t + i]));
  };
  expect(changed(4).map(Number)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]);
  expect(changed(5).map(Number)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
});

/** Linear systems with a state, all places at once against place by place. The formulas that they come from: state-space-formulas.test.ts. */
import { jit, leaves, type Model, mapTensors, net, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

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
  ["lssl", net().lssl(5), 70],
  ["lmu", net().lmu(3, { order: 4, window: 20, memories: 2 }), 70],
  ["multires", net().multires({ depth: 4, taps: 3 }), 40],
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

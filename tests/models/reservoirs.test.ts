/** Reservoirs, beside programs in Python. */
import { readFileSync } from "node:fs";
import {
  from,
  fromArrays,
  frozenParameters,
  jit,
  layers,
  type Model,
  net,
  parameters,
  random,
  reservoir,
  ridge,
  sequence,
  tape,
  tf,
  trained,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";

const found = JSON.parse(readFileSync(new URL("peers/reservoirs.json", import.meta.url), "utf8")) as {
  readonly quantum: readonly { units: number; depth: number; angles: number[][][]; x: number[][][]; out: number[][] }[];
  readonly "quantum lstm": { circuits: number[][][][]; x: number[][][]; out: number[][] };
  readonly "quantum gru": { circuits: number[][][][]; x: number[][][]; out: number[][] };
  readonly echo: {
    state: number[][];
    input: number[][];
    bias: number[];
    x: number[][][];
    y: number[];
    states: number[][];
    predicted: number[];
  };
};
const mode = tape(false, null, {}).mode;
const close = (got: tf.Tensor, wanted: readonly number[], digits = 5): void => {
  const values = got.dataSync();
  expect(values.length).toBe(wanted.length);
  wanted.forEach((value, i) => {
    expect(values[i]).toBeCloseTo(value, digits);
  });
};

describe("P180: a quantum circuit", () => {
  test("gives what its gates give one by one", () => {
    for (const { units, depth, angles, x, out } of found.quantum) {
      const layer = layers.quantumRnn(units, { depth });
      const params = { circuit1: tf.tensor(angles) };
      close(jit((x: tf.Tensor) => layer.apply(x, params, mode))(tf.tensor3d(x)), out.flat());
    }
  });

  test.each(["lstm", "gru"] as const)("with the gates of %s gives what its circuits give", (cell) => {
    const { circuits, x, out } = found[`quantum ${cell}`];
    const params = Object.fromEntries(circuits.map((angles, i) => [`circuit${i + 1}`, tf.tensor(angles)]));
    const layer = layers.quantumRnn(2, { cell });
    expect(Object.keys(layer.init!(random(1), [6, 1]))).toEqual(Object.keys(params));
    close(jit((x: tf.Tensor) => layer.apply(x, params, mode))(tf.tensor3d(x)), out.flat());
  });

  test("has the gradient that finite differences give, and a limit", () => {
    const layer = layers.quantumRnn(2, { depth: 2 });
    const x = random(1).normals([2, 6, 1], 0, 1);
    const angles = random(2).uniforms([2, 3, 3], 0, 6);
    const loss = (angles: tf.Tensor): tf.Tensor => tf.sum(tf.square(layer.apply(x, { circuit1: angles }, mode)));
    const { grads } = valueAndGrad(loss, angles);
    const length = tf.norm(grads).dataSync()[0]!;
    const moved = (by: number): number => loss(tf.add(angles, tf.mul(grads, by / length))).dataSync()[0]!;
    expect((moved(5e-3) - moved(-5e-3)) / 1e-2 / length).toBeCloseTo(1, 2);
    expect(() => net().quantumRnn(10).features([4, 3])).toThrow("at most 12 qubits are required, got 10 for the state");
  });
});

describe("an echo state network", () => {
  const { state, input, bias, x, y, states, predicted } = found.echo;
  const own = { state: tf.tensor2d(state), input: tf.tensor2d(input), bias: tf.tensor1d(bias) };

  test("has the states that numpy gives", () => {
    const all = layers.echoState(12, { leak: 0.6 }).apply(tf.tensor3d(x.slice(0, 5)), own, mode);
    close(tf.slice(all, [0, 9, 0], [5, 1, 12]), states.flat());
  });

  test("is drawn with the spectral radius that is asked for", () => {
    for (const seed of [1, 2, 3]) {
      const drawn = layers.echoState(2, { spectralRadius: 0.7, density: 1 }).init!(random(seed), [5, 1])
        .state as tf.Tensor;
      const [a, b, c, d] = drawn.dataSync() as unknown as [number, number, number, number];
      // the roots of λ² − (a + d) λ + (ad − bc)
      const [half, under] = [(a + d) / 2, ((a + d) / 2) ** 2 - (a * d - b * c)];
      const radius = under < 0 ? Math.sqrt(a * d - b * c) : Math.abs(half) + Math.sqrt(under);
      expect(radius).toBeCloseTo(0.7, 2);
    }
  });

  test("forgets what state it began in, if its spectral radius is below 1", () => {
    const layer = layers.echoState(30, { spectralRadius: 0.8 });
    const params = layer.init!(random(4), [60, 1]);
    const given = random(5).normals([2, 60, 1], 0, 1);
    const same = tf.concat([tf.slice(given, [0, 0, 0], [1, 60, 1]), tf.slice(given, [0, 0, 0], [1, 60, 1])], 0);
    const from = [random(6).uniforms([2, 30], -1, 1)];
    const [all] = layer.recurs!(same, params, mode, from, tf.ones([2, 60]));
    const apart = (t: number): number =>
      tf.norm(tf.sub(tf.slice(all, [0, t, 0], [1, 1, 30]), tf.slice(all, [1, t, 0], [1, 1, 30]))).dataSync()[0]!;
    expect(apart(0)).toBeGreaterThan(0.5);
    expect(apart(59)).toBeLessThan(1e-3);
  });

  test("read out by ridge regression answers as scikit-learn's", async () => {
    const data = fromArrays<"sequence">(x.slice(0, 60), y.slice(0, 60), {
      kind: "sequence",
      target: "numbers",
      test: { x: x.slice(60), y: y.slice(60) },
    });
    const head = { kernel: tf.zeros([12, 1]), bias: tf.zeros([1]) };
    const weights = { model: { reservoir: { "1-echoState": own } }, head };
    const drawn = trained({
      model: reservoir({ units: 12, leak: 0.6 }),
      input: [10, 1],
      weights,
      statistics: {},
    } as never);
    const run = await sequence(data, 1)
      .learn(from(drawn) as never)
      .by(ridge({ of: "features", ridge: 0.01 }))
      .run({ quiet: true, record: false });
    const network = await run.network();
    close(network.predict(tf.tensor3d(x.slice(60))), predicted, 3);
  });
});

describe("a reservoir", () => {
  test.each(["echo", "rnn", "gru", "lstm", "quantum", "quantum lstm", "quantum gru"] as const)(
    "of the cell %s trains nothing of its own",
    (cell) => {
      const model: Model = reservoir({ cell, units: 4 });
      const all = parameters(model, [5, 2]).map(({ path }) => path);
      expect(all.length).toBeGreaterThan(0);
      expect(frozenParameters(model, [5, 2]).model).toEqual(all);
      expect(model.features([5, 2])).toEqual([4]);
      expect(reservoir({ cell, units: 4, gives: "places" }).features([5, 2])).toEqual([5, 4]);
    },
  );

  test("refuses options of another cell", () => {
    expect(() => reservoir({ cell: "gru", leak: 0.5 })).toThrow('options of the cell "gru" are required, got leak');
  });
});

/** Layers along a sequence as one linear system: beside the layers that they are, beside loops, and piece by piece. */
import { jit, type Layer, layers, type Params, random, tape, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { throughSystem } from "../../lib/models/layers/ssm/dynamical-system.ts";
import { selectiveScan } from "../../lib/models/parts/selective-scan.ts";
import { slopeAlong } from "./slope.ts";

const [n, length, units] = [2, 7, 4];
const x = random(1).normals([n, length, units], 0, 1);
const { mode } = tape(false, null, {});
const made = (layer: Layer): Params => layer.init!(random(2), [length, units]);
const apart = (a: tf.Tensor, b: tf.Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
const systems = ["linearAttention", "softmax", "normalised", "selective", "qlstm"] as const;

describe("P032 dynamicalSystem", () => {
  test("is linear attention, number by number", () => {
    const own = layers.linearAttention(2) as Layer;
    const params = made(own);
    const system = layers.dynamicalSystem(2, { system: "linearAttention", state: 2 }) as Layer;
    expect(apart(system.apply(x, params, mode), own.apply(x, params, mode))).toBeLessThan(1e-5);
  });

  test("comes to attention as the order of its exponential rises", () => {
    const own = layers.attention(2, { causal: true }) as Layer;
    const params = made(own);
    const wanted = own.apply(x, params, mode);
    const errors = [0, 1, 2, 4, 6].map((order) =>
      order === 0
        ? apart(tf.zerosLike(wanted), wanted)
        : apart(
            (layers.dynamicalSystem(2, { system: "softmax", state: 2, order }) as Layer).apply(x, params, mode),
            wanted,
          ),
    );
    errors.slice(1).forEach((error, i) => {
      expect(error).toBeLessThan(errors[i]!);
    });
    expect(errors.at(-1)).toBeLessThan(1e-4);
  });

  test("is the selective recurrence of Mamba where heads are channels", () => {
    const system = layers.dynamicalSystem(units, { system: "selective", state: 3 }) as Layer;
    const eye = { kernel: tf.eye(units) };
    const { key, query, step, logA } = made(system) as Record<string, Record<string, tf.Tensor>>;
    const params = { key: key!, query: query!, step: step!, logA: logA!, value: eye, out: eye } as unknown as Params;
    const times = ({ kernel, bias }: Record<string, tf.Tensor>): tf.Tensor => {
      const flat = tf.matMul(tf.reshape(x, [n * length, units]) as tf.Tensor2D, kernel as tf.Tensor2D);
      return tf.reshape(bias ? tf.add(flat, bias) : flat, [n, length, -1]);
    };
    const a = tf.neg(tf.exp(logA as unknown as tf.Tensor));
    const scanned = selectiveScan(
      { u: x, step: tf.softplus(times(step!)), a, b: times(key!), c: times(query!) },
      null,
      null,
    );
    expect(apart(system.apply(x, params, mode), scanned[0])).toBeLessThan(1e-5);
  });

  test("says when linear attention and a selective state space are one: of one rate, with steps of the logarithm of the normaliser", () => {
    const [heads, state] = [1, 3];
    const draw = (at: string): tf.Tensor => random(4).at(at).uniforms([n, length, heads, state], 0.1, 1);
    const [q, k, v] = [draw("q"), draw("k"), random(5).normals([n, length, heads, 2], 0, 1)];
    // a normaliser that the place does not lower: the sum of all keys' lengths so far
    const norm = tf.cumsum(tf.sum(k, 3, true), 1);
    const there = tf.concat([tf.slice(norm, [0, 0], [n, 1]), tf.slice(norm, [0, 0], [n, length - 1])], 1);
    const column = (of: tf.Tensor): tf.Tensor => tf.expandDims(of, 4);
    const attention = { a: column(tf.div(there, norm)), b: column(tf.div(k, norm)), c: column(q) };
    const step = tf.log(tf.div(norm, there));
    const selective = { a: tf.exp(tf.neg(column(step))), b: column(tf.div(k, norm)), c: column(q) };
    expect(apart(throughSystem(attention, v)[0], throughSystem(selective, v)[0])).toBeLessThan(1e-5);
    const plain = tf.div(
      tf.matMul(
        tf.mul(
          tf.matMul(tf.squeeze(q, [2]), tf.squeeze(k, [2]), false, true),
          tf.linalg.bandPart(tf.ones([length, length]), -1, 0),
        ),
        tf.squeeze(v, [2]),
      ),
      tf.squeeze(norm, [3]),
    );
    expect(apart(tf.squeeze(throughSystem(selective, v)[0], [2]), plain)).toBeLessThan(1e-5);
  });

  test("is a recurrent network with gates, by a loop; and normalised attention, by a sum", () => {
    const host = (t: tf.Tensor): number[][] => t.arraySync() as number[][];
    const rows = host(tf.slice(x, [0, 0, 0], [1, length, units]).reshape([length, units]));
    const times = (row: readonly number[], { kernel, bias }: Record<string, tf.Tensor>): number[] => {
      const [k, b] = [host(kernel!), bias?.dataSync()];
      return k[0]!.map((_, j) => row.reduce((sum, v, i) => sum + v * k[i]![j]!, b?.[j] ?? 0));
    };
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const lstm = layers.dynamicalSystem(2, { system: "qlstm" }) as Layer;
    const own = made(lstm) as Record<string, Record<string, tf.Tensor>>;
    let h = new Array<number>(units).fill(0);
    const wanted = rows.map((row) => {
      const [keep, enter, leave, value] = ["keep", "enter", "leave", "value"].map((part) => times(row, own[part]!));
      h = h.map((old, j) => sigmoid(keep![j]!) * old + sigmoid(enter![j]!) * value![j]!);
      return times(
        h.map((v, j) => sigmoid(leave![j]!) * v),
        own.out!,
      );
    });
    expect(
      apart(lstm.apply(x, own as never, mode).slice([0, 0, 0], [1, length, units]), tf.tensor3d([wanted])),
    ).toBeLessThan(1e-5);
    const normalised = layers.dynamicalSystem(1, { system: "normalised", state: 3 }) as Layer;
    const its = made(normalised) as Record<string, Record<string, tf.Tensor>>;
    const [q, k, v] = ["query", "key", "value"].map((part) => rows.map((row) => times(row, its[part]!)));
    const summed = rows.map((row, t) => {
      const eta = Math.exp(times(row, its.norm!)[0]!);
      const read = v![0]!.map((_, j) =>
        v!
          .slice(0, t + 1)
          .reduce((sum, value, s) => sum + value[j]! * q![t]!.reduce((dot, a, i) => dot + a * k![s]![i]!, 0), 0),
      );
      return times(
        read.map((one) => one / eta),
        its.out!,
      );
    });
    expect(
      apart(normalised.apply(x, its as never, mode).slice([0, 0, 0], [1, length, units]), tf.tensor3d([summed])),
    ).toBeLessThan(1e-4);
  });

  test.each(systems)(
    "%s gives piece by piece what it gives at once, and has the slope of finite differences",
    (system) => {
      const layer = layers.dynamicalSystem(2, { system, state: 2 }) as Layer;
      const params = made(layer);
      const keep = tf.tensor2d([1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], [n, length]);
      const cut = (t: tf.Tensor, from: number, to: number): tf.Tensor => tf.slice(t, [0, from], [n, to - from]);
      const [first, states] = layer.recurs!(cut(x, 0, 3), params, mode, null, cut(keep, 0, 3));
      const [second] = layer.recurs!(cut(x, 3, length), params, mode, states, cut(keep, 3, length));
      const got = tf.concat([first, second], 1);
      const whole = layer.apply(x, params, mode);
      // the first example begins anew at its fifth place, the second goes on
      expect(
        apart(tf.slice(got, [1, 0, 0], [1, length, units]), tf.slice(whole, [1, 0, 0], [1, length, units])),
      ).toBeLessThan(1e-4);
      const anew = layer.apply(tf.slice(x, [0, 4, 0], [1, 3, units]), params, mode);
      expect(apart(tf.slice(got, [0, 4, 0], [1, 3, units]), anew)).toBeLessThan(1e-4);
      const weigh = random(6).normals([n, length, units], 0, 1);
      const loss = jit((given: { x: tf.Tensor; params: Params }) =>
        tf.sum(tf.mul(layer.apply(given.x, given.params, mode), weigh)),
      );
      expect(Math.abs(slopeAlong(loss, { x, params }, 1e-2) - 1)).toBeLessThan(0.01);
    },
  );

  test("asks for heads that divide the width, and for a system that there is", () => {
    expect(() => layers.dynamicalSystem(3).shape([length, units])).toThrow("multiple of 3 heads");
    expect(() => layers.dynamicalSystem(2, { system: "lstm" as never })).toThrow("system");
  });
});

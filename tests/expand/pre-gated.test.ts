import { expand, from, net, type Params, random, select, table, tape, tf, valueAndGrad, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { apart, at, numbers, stirred, through } from "./support.ts";

const whole = stirred(vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }), [8, 8, 1]);
const rows = (seed: number) =>
  table(random(seed).normals([6, 8, 8, 1]).dataSync() as Float32Array, new Int32Array(6), [8, 8, 1], 1);
const domains = [rows(1), rows(2), rows(3)];

/** The units of the experts of each block. */
const unitsOf = (made: typeof whole): number[][][] =>
  made.model.stack!.flatMap(({ parts }) => {
    const layer = parts?.[0]?.model.stack?.find(({ name }) => name === "gatedUnits");
    return layer === undefined ? [] : [(layer.options as { experts: number[][] }).experts];
  });

describe("a transformer as experts with one router (P030)", () => {
  test("answers as before where every expert has all units", () => {
    const { network } = expand.preGated(whole, domains, { remain: 1 });
    expect(apart(whole, network, random(4).normals([5, 8, 8, 1]))).toBeLessThan(3e-6);
  });

  test("experts have the units that are largest on their domain, by the mean of their size", () => {
    const { network } = expand.preGated(whole, domains, { remain: 0.25 });
    const { stack, names } = whole.model;
    const first = stack!.findIndex(({ name }) => name === "transformer");
    const params = whole.weights.model[names![first]!] as Record<string, Params>;
    // attention by the layer's own, the dense layers by hand
    const block = stack![first]!;
    const wanted = domains.map((domain) => {
      const x = tf.tensor(
        (() => {
          const out = new Float32Array(6 * 64);
          domain.read([0, 1, 2, 3, 4, 5], out);
          return out;
        })(),
        [6, 8, 8, 1],
      );
      const entering = through(whole, x, names!.slice(0, first));
      const zero = {
        ...params,
        down: {
          kernel: tf.zerosLike(params.down!.kernel as tf.Tensor),
          bias: tf.zerosLike(params.down!.bias as tf.Tensor),
        },
      };
      const passing = block.apply(entering, zero as Params, tape(false, null, {}).mode);
      const { mean, variance } = tf.moments(passing, -1, true);
      const normal = tf.div(
        tf.sub(passing, mean),
        tf.sqrt(tf.add(variance, (block.options as { epsilon?: number }).epsilon ?? 1e-5)),
      );
      const { scale, shift } = params.between as { scale: tf.Tensor; shift: tf.Tensor };
      const up = tf.add(
        tf.matMul(
          tf.reshape(tf.add(tf.mul(normal, scale), shift), [-1, 8]) as tf.Tensor2D,
          params.up!.kernel as tf.Tensor2D,
        ),
        params.up!.bias as tf.Tensor,
      );
      const gelu = tf.mul(tf.mul(up, 0.5), tf.add(1, tf.erf(tf.div(up, Math.SQRT2))));
      const sizes = numbers(tf.mean(tf.abs(gelu), 0));
      return [...sizes.keys()]
        .sort((a, b) => sizes[b]! - sizes[a]!)
        .slice(0, 4)
        .sort((a, b) => a - b);
    });
    const used = [...new Set(wanted.flat())].sort((a, b) => a - b);
    expect(unitsOf(network)[0]!.map((units) => units.map((unit) => used[unit]!))).toEqual(wanted);
    // the numbers of the units are those they had
    const name = network.model.names!.findIndex((_, i) =>
      network.model.stack![i]!.parts?.[0]?.model.stack?.some(({ name }) => name === "gatedUnits"),
    );
    expect(numbers(at(network, `model/${network.model.names![name]}/2-gatedUnits/up/bias`))).toEqual(
      used.map((unit) => numbers(params.up!.bias as tf.Tensor)[unit]!),
    );
  });

  test("a place has the units of the expert that the router has said, and the router's loss is the formula", () => {
    const experts = [
      [0, 1, 2, 5, 6, 7],
      [1, 2, 3, 4, 8, 9],
    ];
    const layer = net().preGate(2).gatedUnits(experts, { distil: 1 }).stack![1]!;
    const params = layer.init!(random(6), [3, 8], new Map()) as Record<string, Params>;
    const inner = Math.max(...experts.flat()) + 1;
    const x = random(5).normals([1, 3, 8]);
    const said = [
      [1, 0.5],
      [-1, 2],
      [0, 3],
    ];
    const { mode, cost } = tape(true, null, {});
    const given = layer.apply(x, params, mode, new Map([["preGate", tf.tensor3d([said])]])).arraySync() as number[][][];
    const product = (input: tf.Tensor, part: string) =>
      tf.add(tf.matMul(input as tf.Tensor2D, params[part]!.kernel as tf.Tensor2D), params[part]!.bias as tf.Tensor);
    const up = product(tf.reshape(x, [3, 8]), "up");
    const between = tf.mul(tf.mul(up, 0.5), tf.add(1, tf.erf(tf.div(up, Math.SQRT2)))).arraySync() as number[][];
    const open = between.map((row, t) =>
      row.map((value, unit) => (experts[[0, 1, 1][t]!]!.includes(unit) ? value : 0)),
    );
    const wanted = product(tf.tensor2d(open), "down").arraySync() as number[][];
    for (const [t, row] of wanted.entries())
      for (const [j, value] of row.entries()) expect(given[0]![t]![j]!).toBeCloseTo(value, 4);
    // the loss, place by place
    const alone = experts.map((units, e) => units.filter((unit) => !experts[1 - e]!.includes(unit)));
    const n = alone[0]!.length;
    const marks = between.map((row) => {
      const order = [...Array(inner).keys()].sort((a, b) => Math.abs(row[b]!) - Math.abs(row[a]!));
      const counts = new Set([5, 4, 3, 2, 1].map((k) => Math.floor((k * n) / 5)).filter((count) => count > 0));
      return row.map((_, unit) => [...counts].filter((count) => order.indexOf(unit) < count).length / 3 / n);
    });
    const shares = marks.map((row) => alone.map((units) => units.reduce((sum, unit) => sum + row[unit]!, 0)));
    const mean = shares.flat().reduce((a, b) => a + b, 0) / 6;
    const softmax = (z: number[]) => z.map((v) => Math.exp(v) / z.reduce((sum, w) => sum + Math.exp(w), 0));
    let loss = 0;
    for (const [t, row] of shares.entries()) {
      const log = softmax(said[t]!).map(Math.log);
      const soft = softmax(row.map((v) => 10 * (v - mean)));
      const best = row[0]! >= row[1]! ? 0 : 1;
      loss +=
        (0.75 * -log.reduce((sum, v, e) => sum + v * (0.25 + (e === best ? 0.5 : 0)), 0) +
          0.25 * -log.reduce((sum, v, e) => sum + v * soft[e]!, 0)) /
        3;
    }
    expect(n).toBeGreaterThan(0);
    expect(cost()!.dataSync()[0]).toBeCloseTo(loss, 4);
  });

  test("the router learns of that loss, and nothing else does", () => {
    const layer = net()
      .preGate(2)
      .gatedUnits(
        [
          [0, 1, 2, 5, 6, 7, 8],
          [1, 2, 3, 4, 9, 10, 11],
        ],
        { distil: 1 },
      ).stack![1]!;
    const params = layer.init!(random(6), [3, 8], new Map());
    const x = random(5).normals([1, 3, 8]);
    const said = tf.tensor3d([
      [
        [1, 0.5],
        [-1, 2],
        [0, 3],
      ],
    ]);
    const cost = (given: { params: Params; logits: tf.Tensor; x: tf.Tensor }): tf.Tensor => {
      const { mode, cost } = tape(true, null, {});
      layer.apply(given.x, given.params, mode, new Map([["preGate", given.logits]]));
      return cost()!;
    };
    const { grads } = valueAndGrad(cost, { params, logits: said, x });
    const { up } = grads.params as { up: { kernel: tf.Tensor } };
    for (const none of [up.kernel, grads.x]) expect(Math.max(...numbers(tf.abs(none)))).toBe(0);
    for (const [i, slope] of numbers(grads.logits).entries()) {
      const moved = (by: number): number =>
        cost({
          params,
          x,
          logits: tf.add(said, tf.reshape(tf.oneHot(i, 6, by, 0, "float32"), [1, 3, 2])),
        }).dataSync()[0]!;
      expect(slope).toBeCloseTo((moved(0.02) - moved(-0.02)) / 0.04, 3);
    }
  });

  test("it says what it requires", () => {
    expect(() => expand.preGated(whole, [domains[0]!])).toThrow("two tables of examples");
    expect(() => expand.preGated(whole, domains, { remain: 0.01 })).toThrow("leaves each expert a unit");
    expect(() => expand.preGated(whole, [domains[0]!, select(domains[1]!, new Uint32Array(0))])).toThrow("two tables");
    expect(() => from(expand.preGated(whole, domains).network, { head: "keep" }).trainOnly("*preGate")).not.toThrow();
  });
});

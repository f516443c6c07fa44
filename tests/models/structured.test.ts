/** Structured matrices against their formulas, and what they cost; SineNet beside its waves in PyTorch. */
import { readFileSync } from "node:fs";
import {
  net,
  network,
  type Params,
  paths,
  random,
  sineNet,
  structuredRates,
  type Tree,
  tape,
  tf,
  unflatten,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { type Structure, sides } from "../../lib/models/layers/basic/structured.ts";
import { flopsPerExample } from "../../lib/models/parts/flops.ts";
import { peerNumbers } from "../support/peer-numbers.ts";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const close = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(wanted[i]!, 5);
};

describe("structured matrices", () => {
  // o = (o₁, o₂) and i = (i₁, i₂), the last index running first
  const formulas: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor, i: number, o: number) => number>> = {
    // 6 = 2 · 3 inputs, 12 = 3 · 4 units, rank 2: input i₂ · 2 + i₁ of the columns, unit o₁ · 4 + o₂
    btt(a, b, i, o) {
      const [i2, i1, o1, o2] = [Math.floor(i / 2), i % 2, Math.floor(o / 4), o % 4];
      return [0, 1].reduce((sum, r) => sum + at(a, i2, i1, o1 * 2 + r) * at(b, o1, i2 * 2 + r, o2), 0);
    },
    // blocks of 3 inputs and, between them, 3 numbers; block k of the second takes the numbers whose place is k modulo 2
    monarch(a, b, i, o) {
      const [block, place] = [o % 2, Math.floor(o / 2)];
      return [0, 1, 2, 3, 4, 5]
        .filter((m) => m % 2 === block && Math.floor(m / 3) === Math.floor(i / 3))
        .reduce((sum, m) => sum + at(a, Math.floor(i / 3), i % 3, m % 3) * at(b, block, Math.floor(m / 2), place), 0);
    },
    kronecker(a, b, i, o) {
      const [i1, i2, o1, o2] = [Math.floor(i / 3), i % 3, Math.floor(o / 4), o % 4];
      return [0, 1].reduce((sum, r) => sum + at(a, i1, o1 * 2 + r) * at(b, i2 * 2 + r, o2), 0);
    },
    lowRank: (a, b, i, o) => [0, 1].reduce((sum, r) => sum + at(a, i, r) * at(b, r, o), 0),
  };
  const at = (t: tf.Tensor, ...places: number[]): number =>
    t.dataSync()[places.reduce((sum, place, axis) => sum * t.shape[axis]! + place, 0)]!;
  const rank = { btt: 2, monarch: 1, kronecker: 2, lowRank: 2 };

  test.each(["btt", "monarch", "kronecker", "lowRank"] as const)("%s is the matrix of its formula", (kind) => {
    const model = net().structured(12, { kind, rank: rank[kind], blocks: 2, bias: false });
    const params = model.init(random(1), [6])["1-structured"] as {
      first: tf.Tensor | Params;
      second: tf.Tensor | Params;
    };
    const [a, b] = [params.first, params.second].map((t) => (t instanceof tf.Tensor ? t : (t.kernel as tf.Tensor)));
    const rows = numbers(model.apply({ "1-structured": params }, tf.eye(6), tape(false, null, {}).mode));
    close(
      rows,
      rows.map((_, k) => formulas[kind]!(a!, b!, Math.floor(k / 12), k % 12)),
    );
  });

  test("have as many numbers and operations as their factors, and rates that even out their steps", () => {
    const counted = (kind: Structure, rank: number) => {
      const model = net().structured(144, { kind, rank, bias: false });
      const whole = network(model, [64]);
      const weights = whole.init(random(0), 1);
      return [model.summary([64])[0]!.parameters, flopsPerExample(whole, weights) - 2 * 144];
    };
    const [r, d, u, s, t] = [3, 64, 144, 8, 12];
    expect(counted("btt", r)).toEqual([r * (d * t + u * s), 2 * r * (d * t + u * s)]);
    expect(counted("lowRank", r)).toEqual([r * (d + u), 2 * r * (d + u)]);
    expect(counted("kronecker", r)).toEqual([2 * r * s * t, 2 * r * (d * t + s * u)]);
    expect(counted("monarch", 1)).toEqual([16 * 64 + 16 * 144, 2 * (16 * 64 + 16 * 144)]);
    expect(sides(144)).toEqual([12, 12]);
    expect(sides(30)).toEqual([5, 6]);
    const rates = (kind: Structure) =>
      structuredRates(
        net().residual((n) => n.structured(16, { kind, rank: 2 })),
        [16],
      ).map(([, by]) => by);
    expect([rates("btt"), rates("monarch"), rates("kronecker"), rates("lowRank")]).toEqual([
      [2, 1],
      [2, 2],
      [2, 1],
      [0.5, 4],
    ]);
    expect(() => net().structured(6, { kind: "monarch" }).features([6])).toThrow(
      "sides that 4 blocks divide are required",
    );
  });
});

test("sineNet gives what its waves written in PyTorch give, with their gradients", () => {
  const { parameters, y, gradients } = JSON.parse(
    readFileSync(new URL("./peers/sine-net.json", import.meta.url), "utf8"),
  ) as {
    readonly parameters: readonly (readonly [shape: number[], centre: number, spread: number])[];
    readonly y: number[];
    readonly gradients: readonly (readonly [product: number, length: number])[];
  };
  const model = sineNet({ waves: 2, filters: 4, gives: "image" });
  const own = model.init(random(0), [8, 8, 2]) as Tree;
  const places = paths(own).map(([, tensor]) => tensor.shape);
  expect(places).toEqual(parameters.map(([shape]) => shape));
  const made: tf.Tensor[] = parameters.map(([shape, ...how], i) => peerNumbers(i, shape, ...how));
  const params = unflatten(own as unknown, made) as Params;
  const x = peerNumbers(1000, [2, 8, 8, 2], 0.5, 1);
  const apply = (p: Params): tf.Tensor => model.apply(p, x, tape(false, null, {}).mode);
  const given = numbers(apply(params)).slice(0, y.length);
  given.forEach((value, i) => void expect(value).toBeCloseTo(y[i]!, 4));
  const weigh = peerNumbers(2000, [2, 8, 8, 4]);
  const { grads } = valueAndGrad((p: Params) => tf.sum(tf.mul(apply(p), weigh)), params);
  for (const [i, [, g]] of paths(grads as Tree).entries()) {
    const [product, length] = gradients[i]!;
    expect(numbers(tf.sum(tf.mul(g, peerNumbers(3000 + i, g.shape))))[0]! / length).toBeCloseTo(product / length, 3);
    expect(numbers(tf.norm(g))[0]! / length).toBeCloseTo(1, 3);
  }
});

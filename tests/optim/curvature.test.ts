import { describe, expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { mapTensors, sumTree, type Tree, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { inverseSymmetric } from "../../lib/engine/linear-algebra.ts";
import { mlp, net } from "../../lib/models/index.ts";
import {
  frugal,
  galore,
  kfac,
  loqt,
  mkor,
  muon,
  type Optimizer,
  optAmsgrad,
  sgd,
  shampoo,
  soap,
  sophia,
  stableSpam,
  tag,
  tvlars,
} from "../../lib/optim/index.ts";
import { type LayerSeen, optimizer, type Seen } from "../../lib/optim/optimizer.ts";
import { refined } from "../../lib/optim/parts/factors.ts";
import { replay } from "../../lib/strategies/index.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { open } from "../../lib/train/session.ts";
import { evaluation, training } from "../../lib/train/spec.ts";
import { advance, numbers, run, spec, stream } from "../strategies/support.ts";
import { blind } from "./support.ts";

const told = stream({ needs: [] } as never);
type Layer = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };

/** The product of two matrices given row after row. */
function product(a: Float64Array, b: Float64Array, n: number, inner: number, m: number): Float64Array {
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++) for (let k = 0; k < inner; k++) out[i * m + j]! += a[i * inner + k]! * b[k * m + j]!;
  return out;
}

describe("kfac", () => {
  test("gives the step worked out in double precision: (A + π√λ)⁻¹ ∇ (G + √λ/π)⁻¹ over two batches", () => {
    const batches = [
      {
        x: [
          [1, 2],
          [0, 1],
          [-1, 3],
        ],
        g: [
          [0.5, -1],
          [0.2, 0.4],
          [-0.3, 0.1],
        ],
      },
      {
        x: [
          [2, 0],
          [1, 1],
          [0, -2],
        ],
        g: [
          [1, 0.3],
          [-0.5, 0.2],
          [0.1, -0.4],
        ],
      },
    ]; // prettier-ignore
    const [damping, rate] = [0.1, 0.5];
    const optimizer = kfac({ lr: rate, damping, momentum: 0, clip: 0, rounds: 40 });
    const params = { model: { one: { kernel: tf.zeros([2, 2]), bias: tf.zeros([2]) } } };
    let state = optimizer.init(params);
    const [A, G] = [new Float64Array(9), new Float64Array(4)];
    for (const [t, { x, g }] of batches.entries()) {
      const a = x.map((row) => [...row, 1]);
      const keep = Math.min(1 - 1 / (t + 1), 0.95); // 0, then ½
      const moment = (rows: number[][], i: number, j: number): number =>
        rows.reduce((s, r) => s + r[i]! * r[j]!, 0) / 3;
      for (let i = 0; i < 9; i++) A[i] = keep * A[i]! + (1 - keep) * moment(a, Math.floor(i / 3), i % 3);
      for (let i = 0; i < 4; i++) G[i] = keep * G[i]! + (1 - keep) * moment(g, Math.floor(i / 2), i % 2);
      const slope = Float64Array.from({ length: 6 }, (_, i) =>
        a.reduce((s, row, n) => s + (row[Math.floor(i / 2)]! * g[n]![i % 2]!) / 3, 0),
      );
      const pi = Math.sqrt((A[0]! + A[4]! + A[8]!) / 3 / ((G[0]! + G[3]!) / 2));
      const damped = (m: Float64Array, n: number, by: number): Float64Array =>
        inverseSymmetric(
          m.map((v, i) => v + (i % (n + 1) === 0 ? by : 0)),
          n,
        );
      const wanted = product(
        product(damped(A, 3, pi * Math.sqrt(damping)), slope, 3, 3, 2),
        damped(G, 2, Math.sqrt(damping) / pi),
        3,
        2,
        2,
      );
      const layer: LayerSeen = { input: tf.tensor2d(x), gradient: tf.div(tf.tensor2d(g), 3) };
      const seen: Seen = { ...blind, layers: { "model/one": [layer] } };
      const grads = {
        model: { one: { kernel: tf.tensor2d([...slope.slice(0, 4)], [2, 2]), bias: tf.tensor1d([...slope.slice(4)]) } },
      };
      const [updates, next] = optimizer.update(grads, state, params, tf.scalar(rate), seen);
      const { kernel, bias } = (updates as unknown as { model: { one: Layer } }).model.one;
      const ours = [...kernel.dataSync(), ...bias.dataSync()];
      for (const [i, v] of ours.entries()) expect(v).toBeCloseTo(-rate * wanted[i]!, 4);
      state = next;
    }
  });

  test("cuts a step whose change of the predictions would be too great", () => {
    const optimizer = kfac({ lr: 1, momentum: 0, clip: 0.01 });
    const w = { scale: tf.tensor1d([0]) };
    const [{ scale }] = optimizer.update(
      { scale: tf.tensor1d([2]) },
      optimizer.init(w),
      w,
      tf.scalar(1),
      blind,
    ) as unknown as [typeof w];
    expect(scale.dataSync()[0]).toBeCloseTo(-0.1, 6); // u = g · √(clip / (rate² g²)) = 2 · √(.01 / 4)
  });

  test("refines an inverse from the last one, and begins anew where that is far off", () => {
    const matrix = tf.tensor2d([
      [4, 1],
      [1, 3],
    ]); // prettier-ignore
    const exact = [3 / 11, -1 / 11, -1 / 11, 4 / 11];
    for (const before of [
      tf.zeros([2, 2]),
      tf.tensor2d([
        [9, 0],
        [0, -5],
      ]),
      tf.tensor2d([
        [0.27, -0.09],
        [-0.09, 0.36],
      ]),
    ]) {
      const found = refined(matrix, tf.scalar(0), before, 12).dataSync();
      for (const [i, v] of exact.entries()) expect(found[i]).toBeCloseTo(v, 5);
    }
    const near = refined(
      matrix,
      tf.scalar(0),
      tf.tensor2d([
        [0.27, -0.09],
        [-0.09, 0.36],
      ]),
      2,
    ).dataSync();
    for (const [i, v] of exact.entries()) expect(near[i]).toBeCloseTo(v, 5);
  });

  test("needs fewer steps than descent with momentum at its best rate: on digits, after 20 steps", () => {
    const loss = (optimizer: Optimizer): number => {
      const given = spec(classes(digits()) as never, [], {
        optimizer,
        model: mlp({ hidden: [32] }),
        training: training({ batch: 64, steps: 20 }),
        evaluation: evaluation({ atStart: false, share: 0 }),
      });
      const losses = run(given).events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
      return losses.slice(-5).reduce((a, b) => a + b, 0) / 5;
    };
    const best = Math.min(...[0.03, 0.1, 0.3].map((lr) => loss(sgd({ lr, momentum: 0.9 }))));
    expect(loss(kfac())).toBeLessThan(best / 2);
  });
});

describe.each([
  ["kfac", kfac()],
  ["muon", muon()],
  ["shampoo", shampoo({ every: 3 })],
  ["soap", soap({ every: 3 })],
  ["sophia", sophia({ every: 3 })],
  ["mkor", mkor({ every: 2 })],
  ["galore", galore({ rank: 2, every: 3, history: 2 })],
  ["galore whose subspace learns", galore({ rank: 2, subspace: "online" })],
  ["frugal", frugal({ every: 3 })],
  ["loqt", loqt({ rank: 2, every: 4 })],
  ["tvlars", tvlars({ trust: 0.1 })],
  ["optAmsgrad", optAmsgrad()],
  ["stableSpam", stableSpam({ every: 5 })],
  ["sophia by labels", sophia({ every: 3, by: "labels" })],
])("%s", (_, optimizer) => {
  test("grows with its head, leaves what is frozen, and goes on bit for bit from a saved state without a tensor more", () => {
    const given = spec(told, [replay({ capacity: 6 })], {
      optimizer,
      model: mlp({ hidden: [6, 5] }).freeze("2-dense"),
    });
    const all = run(given, 1);
    const session = open(given, 1, "test");
    advance(session, 10);
    const bytes = session.save();
    const tensors = tf.memory().numTensors;
    advance(session, 26);
    expect(tf.memory().numTensors).toBe(tensors);
    const frozen = numbers((session.learner.weights.model as Record<string, Tree>)["2-dense"]);
    session.dispose();
    const again = run(given, 1, bytes);
    expect(again.weights).toEqual(all.weights);
    expect(again.weights.slice(0, frozen.length)).toEqual(frozen);
  });
});

test("mkor renews inverses with the squares of mean inputs and gradients, and steps as far as the gradient is long", () => {
  const [decay, rate] = [0.8, 0.5];
  const optimizer = mkor({ lr: rate, decay, every: 1, momentum: 0 });
  const params = { model: { one: { kernel: tf.zeros([2, 2]), bias: tf.zeros([2]) } } };
  let state = optimizer.init(params);
  // inverses in double precision, on the way back to 1, with one square more
  const renewed = (inverse: Float64Array, v: readonly number[]): Float64Array => {
    const n = v.length;
    const kept = inverse.map((x, i) => decay * x + (i % (n + 1) === 0 ? 1 - decay : 0));
    const factor = inverseSymmetric(kept, n).map((x, i) => x + v[Math.floor(i / n)]! * v[i % n]!);
    return inverseSymmetric(factor, n);
  };
  let [A, G]: [Float64Array, Float64Array] = [Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), Float64Array.of(1, 0, 0, 1)];
  for (const [x, g] of [
    [
      [
        [1, 2],
        [3, 0],
      ],
      [
        [0.5, -1],
        [0.1, 0.4],
      ],
    ],
    [
      [
        [-1, 1],
        [2, 2],
      ],
      [
        [1, 0.2],
        [-0.6, 0.6],
      ],
    ],
  ] as const) {
    const [a, out] = [
      [(x[0][0] + x[1][0]) / 2, (x[0][1] + x[1][1]) / 2, 1],
      [(g[0][0] + g[1][0]) / 2, (g[0][1] + g[1][1]) / 2],
    ];
    A = renewed(A, a);
    G = renewed(G, out);
    const slope = Float64Array.of(0.3, -0.2, 0.5, 0.1, -0.4, 0.7);
    const whole = product(product(A, slope, 3, 3, 2), G, 3, 2, 2);
    const length = (of: Float64Array): number => Math.hypot(...of);
    const layer: LayerSeen = { input: tf.tensor2d(x as never), gradient: tf.div(tf.tensor2d(g as never), 2) };
    const grads = {
      model: { one: { kernel: tf.tensor2d([...slope.slice(0, 4)], [2, 2]), bias: tf.tensor1d([...slope.slice(4)]) } },
    };
    const [updates, next] = optimizer.update(grads, state, params, tf.scalar(rate), {
      ...blind,
      layers: { "model/one": [layer] },
    });
    const { kernel, bias } = (updates as unknown as typeof params).model.one;
    for (const [i, v] of [...kernel.dataSync(), ...bias.dataSync()].entries())
      expect(v).toBeCloseTo((-rate * whole[i]! * length(slope)) / length(whole), 5);
    state = next;
  }
});

test("tag runs on a stream that tells the task, and says so where it is not told", () => {
  const telling = stream({ needs: ["task"] } as never);
  const given = spec(telling, [], { optimizer: tag({ tasks: 3 }) });
  const all = run(given, 1);
  expect(all.events.some(({ type }) => type === "learned")).toBe(true);
  expect(() => run(spec(told, [], { optimizer: tag() }))).toThrow("tag: a stream that tells the task is required");
});

test("muon steps along an orthogonal matrix, and moves the head and biases by adam", () => {
  const optimizer = muon({ lr: 1, rounds: 12, nesterov: false, others: 0.5 });
  const params = {
    model: { "1-dense": { kernel: tf.zeros([2, 2]), bias: tf.zeros([2]) } },
    head: { kernel: tf.zeros([2, 2]) },
  };
  const grads = {
    model: {
      "1-dense": {
        kernel: tf.tensor2d([
          [3, 1],
          [1, 2],
        ]),
        bias: tf.tensor1d([5, -7]),
      },
    },
    head: {
      kernel: tf.tensor2d([
        [1, -2],
        [3, -4],
      ]),
    },
  }; // prettier-ignore
  const [updates] = optimizer.update(grads, optimizer.init(params), params, tf.scalar(1)) as unknown as [typeof params];
  const [a, b, c, d] = updates.model["1-dense"].kernel.dataSync() as unknown as [number, number, number, number];
  // the polar factor of a symmetric positive matrix is 1; the rounds bring each singular value between .68 and 1.13
  for (const on of [a, d]) expect(-on).toBeGreaterThan(0.65);
  for (const on of [a, d]) expect(-on).toBeLessThan(1.2);
  for (const off of [b, c]) expect(Math.abs(off)).toBeLessThan(0.25);
  const by = [...updates.model["1-dense"].bias.dataSync(), ...updates.head.kernel.dataSync()];
  for (const [i, sign] of [-1, 1, -1, 1, -1, 1].entries()) expect(by[i]).toBeCloseTo(sign * 0.5, 4);
});

test("what a step shows at other weights is its own loss, and a gradient that can be differentiated again", () => {
  const norm = (a: Tree): tf.Tensor => sumTree((t) => tf.sum(tf.square(t)) as tf.Scalar, a);
  const moved = (w: Tree, v: Tree, by: number): Tree => mapTensors((a, b) => tf.add(a, tf.mul(b!, by)), w, v);
  const looking = optimizer("looking", { lr: 0.05 }, () => ({
    sees: ["gradient", "loss", "drawn", "noise"],
    init: () => ({ exact: tf.scalar(0), apart: tf.scalar(0), slope: tf.scalar(0), drawn: tf.scalar(0) }),
    update(grads, _state, params, rate, seen) {
      let next = 0;
      const v = mapTensors((w) => seen!.rng!.at("v", next++).normals(w.shape), params);
      const along = (w: Tree): tf.Tensor => sumTree((g, u) => tf.sum(tf.mul(g, u!)) as tf.Scalar, seen!.gradient(w), v);
      const exact = valueAndGrad(along, params).grads;
      const e = 1e-3;
      const [there, back] = [moved(params, v, e), moved(params, v, -e)];
      const by = mapTensors((a, b) => tf.div(tf.sub(a, b!), 2 * e), seen!.gradient(there), seen!.gradient(back));
      const apart = norm(mapTensors((a, b) => tf.sub(a, b!), exact, by));
      const slope = tf.sub(
        tf.div(tf.sub(seen!.loss(there), seen!.loss(back)), 2 * e),
        sumTree((g, u) => tf.sum(tf.mul(g, u!)) as tf.Scalar, grads, v),
      );
      const drawn = norm(seen!.drawn(params).gradient);
      return [mapTensors((g) => tf.mul(g, tf.neg(rate)), grads), { exact: norm(exact), apart, slope, drawn }];
    },
  }));
  const model = net().dense(6).tanh().layerNorm().dense(5).tanh();
  const session = open(spec(told, [], { optimizer: looking(), model }), 1, "test");
  advance(session, 3);
  const { exact, apart, slope, drawn } = session.learner.optimizer as Record<string, tf.Tensor>;
  expect(exact!.dataSync()[0]).toBeGreaterThan(0.1);
  expect(apart!.dataSync()[0]! / exact!.dataSync()[0]!).toBeLessThan(1e-3);
  expect(Math.abs(slope!.dataSync()[0]!)).toBeLessThan(5e-3);
  expect(drawn!.dataSync()[0]).toBeGreaterThan(0);
  session.dispose();
});

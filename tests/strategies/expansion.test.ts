import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { net, network } from "../../lib/models/index.ts";
import type { Params } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";
import { ssre } from "../../lib/strategies/index.ts";
import {
  contextOf,
  entropy,
  examplesOf,
  hooksOf,
  lossOf,
  matrix,
  noisy,
  normal,
  small,
  stepOf,
  unit,
} from "./by-hand.ts";

describe("SSRE, P264", () => {
  const strategy = ssre({ prototypes: 10, distil: 2, temperature: 0.5 });
  const hooks = hooksOf(strategy);
  const { net: model, weights: plain } = small([4], 3, 3);
  const side = random(5).normals([3, 4]);
  const [path] = Object.keys(hooks.parameters({ network: model, weights: plain } as never)) as [string];
  const weights: Weights = { ...plain, added: { ssre: { [path]: side } as unknown as Params } };
  const x = normal(4, 3, 9);
  const y = [0, 2, 2, 2];

  test("weighs what is new by how unlike old prototypes it is, and what is old by how like it is", () => {
    const prototypes = [
      [0.3, 0.1, 0.9, 0.2],
      [0.8, 0.5, 0, 0.1],
    ];
    const state = {
      prototypes: new Map(),
      tensors: { prototypes: tf.tensor2d(prototypes), columns: tf.tensor1d([1, 0], "int32") },
    };
    const step = stepOf({ net: model, weights, x, y, through: { strategy, state } });
    const [first] = Object.values(plain.model) as Params[];
    const [kernel, bias] = [matrix(first!.kernel as tf.Tensor), [...(first!.bias as tf.Tensor).dataSync()]];
    const pass = (k: number[][]) =>
      x.map((row) =>
        bias.map((b, j) =>
          Math.max(
            0,
            row.reduce((s, v, i) => s + v * k[i]![j]!, b),
          ),
        ),
      );
    const added = matrix(side);
    const now = pass(kernel.map((row, i) => row.map((v, j) => v + added[i]![j]!)));
    const main = pass(kernel);
    const head = [matrix(plain.head.kernel as tf.Tensor), [...(plain.head.bias as tf.Tensor).dataSync()]] as const;
    const logits = (f: readonly number[]) =>
      head[1].map((b, c) => f.reduce((s, v, i) => s + v * head[0][i]![c]!, b) / 0.5);
    const near = now.map((f) =>
      Math.max(...prototypes.map((p) => unit(f).reduce((s, v, i) => s + v * unit(p)[i]!, 0))),
    );
    const fresh = now.reduce((s, f, i) => s + (entropy(logits(f), y[i]!) * (1 - near[i]!)) / 4, 0);
    const held = now.reduce((s, f, i) => s + near[i]! * Math.hypot(...f.map((v, j) => v - main[i]![j]!)), 0);
    const old = (entropy(logits(prototypes[0]!), 1) + entropy(logits(prototypes[1]!), 0)) / 2;
    expect(lossOf(strategy, state, step)).toBeCloseTo(fresh + 2 * held + 10 * old, 3);
  });

  test("makes side branches part of the kernels at the end: the same function, and prototypes are mean features", () => {
    const stream = { experience: () => ({ train: examplesOf(x, y) }) } as never;
    const state = { prototypes: new Map([[7, new Float32Array(4)]]), tensors: { prototypes: tf.zeros([1, 4]) } };
    const seen = stepOf({ net: model, weights, x, y, through: { strategy, state } });
    const features = matrix(seen.features);
    const outputs = () => ({ features: Float32Array.from(features.flat()), logits: new Float32Array(12) });
    const next = hooks.afterExperience(state, { index: 1 } as never, { ...contextOf(model, weights), stream, outputs });
    expect([...next.prototypes.keys()]).toEqual([7, 0, 2]);
    const mean = features[0]!.map((_, j) => (features[1]![j]! + features[2]![j]! + features[3]![j]!) / 3);
    [...next.prototypes.get(2)!].forEach((v, j) => {
      expect(v).toBeCloseTo(mean[j]!, 5);
    });
    expect(Math.max(...(next.weights.added.ssre[path] as tf.Tensor).dataSync())).toBe(0);
    const after = stepOf({ net: model, weights: next.weights, x, y, through: { strategy, state: next } });
    expect(after.logits.sub(seen.logits).abs().max().dataSync()[0]).toBeLessThan(1e-5);
    const forgot = hooks.forget(next, new Set([2]) as never, contextOf(model, weights));
    expect([...forgot.prototypes.keys()]).toEqual([7, 0]);
  });

  test("a convolution's side branch is a convolution of 1 × 1 places beside it", () => {
    const image = network(net().reshape([5, 4, 2]).conv(3, 3).flatten() as never, [40]);
    const at = noisy(image.init(random(1), 2), random(2));
    const own = hooks.parameters({ network: image, weights: at } as never) as Record<string, tf.Tensor>;
    const [name] = Object.keys(own) as [string];
    expect(own[name]!.shape).toEqual([1, 1, 2, 3]);
    const drawn = random(3).normals([1, 1, 2, 3]);
    const state = { prototypes: new Map(), tensors: { prototypes: tf.zeros([1, 60]) } };
    const rows = normal(2, 40, 4);
    const with_ = { ...at, added: { ssre: { [name]: drawn } as unknown as Params } };
    const got = stepOf({ net: image, weights: with_, x: rows, through: { strategy, state } }).features;
    const without = stepOf({ net: image, weights: at, x: rows }).features;
    const x4 = tf.reshape(tf.tensor2d(rows), [2, 5, 4, 2]) as tf.Tensor4D;
    const beside = tf.reshape(tf.conv2d(x4, drawn as tf.Tensor4D, 1, "same"), [2, 60]);
    expect(got.sub(without).sub(beside).abs().max().dataSync()[0]).toBeLessThan(1e-5);
  });
});

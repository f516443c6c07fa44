import { describe, expect, test } from "vitest";
import { jit, liveBytes, nn, random, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { net, network } from "../../lib/models/index.ts";
import { tape } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";

const [n, d, units, k] = [12, 3, 2, 5];
const rng = random(3);
// a few rows are much larger than the others, as activations are
const rows = Array.from({ length: n }, (_, i) =>
  Array.from({ length: d }, () => rng.normal() * (i % 5 === 0 ? 4 : 0.4)),
);
const x = tf.tensor2d(rows);
const kernel = random(5).normals([d, units]) as tf.Tensor2D;
const bias = random(6).normals([units]) as tf.Tensor1D;
const slope = random(7).normals([n, units]) as tf.Tensor2D;
const norms = rows.map((row) => Math.hypot(...row));
const p = norms.map((v) => v / norms.reduce((a, b) => a + b));
const order = [...p.keys()].sort((a, b) => p[b]! - p[a]!);
const before = (j: number): number => order.slice(0, j).reduce((sum, i) => sum + p[i]!, 0);
const wanted = [...Array(k).keys()].sort((a, b) => (1 - before(a)) / (k - a) - (1 - before(b)) / (k - b))[0]!;

/** The estimate of `xᵀ · slope` with these draws, by the library. */
const estimate = jit((uniforms: tf.Tensor) => {
  const { grads } = valueAndGrad(
    (w: tf.Tensor2D) => tf.sum(tf.mul(nn.sampledProduct(x, w, bias, uniforms), slope)),
    kernel as never,
  );
  return grads as unknown as tf.Tensor;
});
/** The same by hand: the winners as they are, and for each further draw the row at that share of what is left. */
const byHand = (uniforms: readonly number[]): number[] => {
  const out = new Array<number>(d * units).fill(0);
  const s = slope.arraySync() as number[][];
  const add = (i: number, weight: number): void => {
    for (let a = 0; a < d; a++)
      for (let b = 0; b < units; b++) out[a * units + b]! += weight * rows[i]![a]! * s[i]![b]!;
  };
  for (const i of order.slice(0, wanted)) add(i, 1);
  const left = 1 - before(wanted);
  for (const u of uniforms.slice(wanted)) {
    let at = before(wanted);
    const i = order.slice(wanted).find((row) => (at += p[row]!) > 1 - left + u * left)!;
    add(i, left / (p[i]! * (k - wanted)));
  }
  return out;
};

describe("P372: rows that are kept for a gradient", () => {
  test("are the winners and some of the others, weighed as the source has it", () => {
    expect(wanted).toBeGreaterThan(0);
    for (const seed of [1, 2, 3]) {
      const uniforms = Array.from({ length: k }, () => Math.fround(random(seed).at(1).uniform() * 0.98 + 0.01));
      const own = Array.from(uniforms, (u, i) => (u + 0.17 * i) % 1);
      const got = [...estimate(tf.tensor1d(own)).dataSync()];
      byHand(own).forEach((v, i) => {
        expect(got[i]).toBeCloseTo(v, 3);
      });
    }
  });

  test("give the gradient itself on average, with less spread than drawing every row", () => {
    const exact = [...tf.matMul(x, slope, true, false).dataSync()];
    const draws = Array.from({ length: 3000 }, (_, s) =>
      byHand(Array.from({ length: k }, (_, i) => random(s).at(i).uniform())),
    );
    const s = slope.arraySync() as number[][];
    exact.forEach((v, c) => {
      const values = draws.map((own) => own[c]!);
      const mean = values.reduce((a, b) => a + b) / values.length;
      const spread = values.reduce((sum, own) => sum + (own - mean) ** 2, 0) / values.length;
      expect(Math.abs(mean - v)).toBeLessThan(4 * Math.sqrt(spread / values.length) + 1e-6);
    });
    const total = (of: readonly number[][]): number =>
      exact.reduce((sum, v, c) => sum + of.reduce((own, row) => own + (row[c]! - v) ** 2, 0) / of.length, 0);
    // k rows with replacement: (Σ x²s²/p − exact²) / k
    const all = exact.reduce((sum, v, c) => {
      const [a, b] = [Math.floor(c / units), c % units];
      return sum + (rows.reduce((own, row, i) => own + (row[a]! * s[i]![b]!) ** 2 / p[i]!, 0) - v * v) / k;
    }, 0);
    expect(total(draws)).toBeLessThan(all);
  });

  test("leave what the layer gives and every other gradient as they are", () => {
    const uniforms = random(9).uniforms([k]);
    const [y, plain] = [nn.sampledProduct(x, kernel, bias, uniforms), tf.add(tf.matMul(x, kernel), bias)];
    expect([...y.dataSync()]).toEqual([...plain.dataSync()]);
    const of = (product: (x: tf.Tensor2D, b: tf.Tensor1D) => tf.Tensor) =>
      tf.grads((x: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(product(x as tf.Tensor2D, b as tf.Tensor1D), slope)))([
        x,
        bias,
      ]);
    const own = of((x, b) => nn.sampledProduct(x, kernel, b, uniforms));
    const known = of((x, b) => tf.add(tf.matMul(x, kernel), b));
    own.forEach((g, i) => {
      [...g.dataSync()].forEach((v, c) => {
        expect(v).toBeCloseTo(known[i]!.dataSync()[c]!, 5);
      });
    });
  });

  test("are counted where each result is freed after its last use", () => {
    const [a, b] = [tf.zeros([100, 10]), tf.zeros([100])];
    // sin and exp at once; then the sum beside exp
    expect(liveBytes(([x]) => tf.sum(tf.exp(tf.sin(x!))), [a])).toBe(8000);
    // sin is needed again at the end: it, exp and the product
    expect(liveBytes(([x]) => ((y) => tf.mul(tf.exp(y), y))(tf.sin(x!)), [a])).toBe(12000);
    // a view is the table that it shows
    expect(liveBytes(([x]) => tf.exp(tf.reshape(tf.sin(x!), [10, 10])), [b])).toBe(800);
  });

  test("make a training step hold less, by the bytes of its program", () => {
    const bytes = (share: number): number => {
      const block = (n: ReturnType<typeof net>) => n.layerNorm().dense(96, { rows: share }).relu();
      const model = block(block(block(block(net() as never) as never) as never) as never);
      const own = network(model as never, [96]);
      const weights = own.init(random(1), 10);
      return liveBytes(
        ([x], rng) => {
          const { grads } = valueAndGrad((at: Weights) => {
            const { mode } = tape(true, rng, {});
            return tf.mean(tf.square(own.logits(at, own.features(at, x!, mode))));
          }, weights);
          const leaves = (node: object): tf.Tensor[] =>
            Object.values(node).flatMap((child) => (child instanceof tf.Tensor ? [child] : leaves(child as object)));
          return leaves(grads);
        },
        [tf.zeros([512, 96])],
      );
    };
    // the four tables that come into a product are freed at once but for the rows that are kept: what else is needed later stays
    const table = 512 * 96 * 4;
    for (const share of [0.5, 0.2, 0.1])
      expect((bytes(1) - bytes(share)) / (4 * table * (1 - Math.round(512 * share) / 512))).toBeCloseTo(1, 1.5);
  });
});

import { describe, expect, test } from "vitest";
import { jit, liveBytes, random, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { net, network } from "../../lib/models/index.ts";
import { type Params, tape } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";
import { packedProduct, type Ranges } from "../../lib/models/parts/packed-product.ts";

const [n, d, units] = [7, 6, 3];
const x = random(1).normals([n, d], 0.5, 2) as tf.Tensor2D;
const kernel = random(2).normals([d, units]) as tf.Tensor2D;
const bias = random(3).normals([units]) as tf.Tensor1D;
const slope = random(4).normals([n, units]) as tf.Tensor2D;
const rows = x.arraySync();
const group = (row: readonly number[], g: number): number[] => row.slice(3 * g, 3 * g + 3);
const low = [0, 1].map((g) => Math.min(...rows.flatMap((row) => group(row, g))));
const range = [0, 1].map((g) => Math.max(...rows.flatMap((row) => group(row, g))) - low[g]!);
/** A number as it comes back from its byte. */
const byteOf = (v: number, from: number, wide: number): number =>
  from + (Math.min(255, Math.max(0, Math.round((255 * (v - from)) / wide))) * wide) / 255;

describe("P378: inputs kept as bytes", () => {
  const fresh: Ranges = { low: tf.zeros([2]), range: tf.ones([2]), seen: tf.zeros([1]) };
  const gradients = jit((low: tf.Tensor, range: tf.Tensor, seen: tf.Tensor) => {
    const { grads } = valueAndGrad(
      (at: { x: tf.Tensor; w: tf.Tensor; b: tf.Tensor }) =>
        tf.sum(tf.mul(packedProduct(at.x, at.w, at.b, { low, range, seen }), slope)),
      { x: x as tf.Tensor, w: kernel as tf.Tensor, b: bias as tf.Tensor },
    );
    return grads;
  });

  test.each([0, 1])("give the kernel the gradient of what the bytes say, and all else exactly (seen %s)", (seen) => {
    const before = { low: [-3, -1], range: [5, 9] };
    const given =
      seen === 0 ? fresh : { low: tf.tensor1d(before.low), range: tf.tensor1d(before.range), seen: tf.ones([1]) };
    const now = (old: readonly number[], own: readonly number[]): number[] =>
      own.map((v, g) => (seen === 0 ? v : 0.9 * old[g]! + 0.1 * v));
    const [first, wide] = [now(before.low, low), now(before.range, range)];
    const restored = rows.map((row) => row.map((v, j) => byteOf(v, first[j < 3 ? 0 : 1]!, wide[j < 3 ? 0 : 1]!)));
    const grads = gradients(given.low, given.range, given.seen);
    const wanted = tf.matMul(tf.tensor2d(restored), slope, true, false).dataSync();
    [...grads.w.dataSync()].forEach((v, i) => {
      expect(v).toBeCloseTo(wanted[i]!, 3);
    });
    const exact = tf.matMul(slope, kernel, false, true).dataSync();
    [...grads.x.dataSync()].forEach((v, i) => {
      expect(v).toBeCloseTo(exact[i]!, 4);
    });
    const value = packedProduct(x, kernel, bias, given).dataSync();
    expect([...value]).toEqual([...tf.add(tf.matMul(x, kernel), bias).dataSync()]);
  });

  test("have running ranges in the layer's statistics, and what it gives at test time is plain", () => {
    const model = net().dense(units, { bytes: 2 });
    const params = model.init(random(0), [d]);
    const noted = tape(true, random(1), model.statistics([d]));
    model.apply(params, x, noted.mode);
    const written = Object.values(noted.written())[0] as Params;
    low.forEach((v, g) => {
      expect((written.low as tf.Tensor).dataSync()[g]).toBeCloseTo(v, 5);
    });
    expect(JSON.stringify(net().dense(3).spec)).not.toContain("bytes");
    expect(() => model.statistics([5])).toThrow("groups that divide 5 columns");
    expect(() => net().dense(3, { bytes: 1, rows: 0.5 })).toThrow("rows or bytes is required");
  });

  test("make a training step hold a quarter of what comes into its products", () => {
    const bytes = (groups: number): number => {
      const block = (n: ReturnType<typeof net>) => n.layerNorm().dense(96, { bytes: groups }).relu();
      const model = block(block(block(block(net() as never) as never) as never) as never);
      const own = network(model as never, [96]);
      const [weights, statistics] = [own.init(random(1), 10), own.statistics()];
      return liveBytes(
        ([x], rng) => {
          const { grads } = valueAndGrad((at: Weights) => {
            const { mode } = tape(true, rng, statistics);
            return tf.mean(tf.square(own.logits(at, own.features(at, x!, mode))));
          }, weights);
          const leaves = (node: object): tf.Tensor[] =>
            Object.values(node).flatMap((child) => (child instanceof tf.Tensor ? [child] : leaves(child as object)));
          return leaves(grads);
        },
        [tf.zeros([512, 96])],
      );
    };
    expect((bytes(0) - bytes(4)) / (4 * 512 * 96 * 3)).toBeCloseTo(1, 1);
  });
});

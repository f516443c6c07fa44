import { expand, net, random, table, tf, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { apart, at, numbers, stirred, through } from "./support.ts";

const images = random(2).normals([5, 8, 8, 1]);

describe("a layer made into several ways", () => {
  const made = stirred(net().conv(5, 3).relu().conv(4, 3, { stride: 2 }).relu().flatten().dense(6).relu(), [8, 8, 1]);

  test.each([
    ["1-conv", { ways: 3 }],
    ["3-conv", { ways: 2, join: "concat" }],
    ["3-conv", { ways: 2, deeper: 1 }],
    ["6-dense", { ways: 3, join: "concat", deeper: 2 }],
    ["6-dense", { ways: 2, noise: 0.1 }],
  ] as const)("answers the same: %s, %o", (layer, options) => {
    const { network: grown, report } = expand.branches(made, layer, options);
    expect(apart(made, grown, images)).toBeLessThan(2e-6);
    expect(report.parameters[1]).toBeGreaterThanOrEqual(report.parameters[0]);
  });

  test("has ways that are not twins, and has what they add up to", () => {
    const grown = expand.branches(made, "1-conv", { ways: 2 }).network;
    const [a, b] = [1, 2].map((way) => numbers(at(grown, `model/1-branch/${way}-way/1-conv/kernel`))) as [
      number[],
      number[],
    ];
    expect(Math.max(...a.map((x, i) => Math.abs(x - b[i]!)))).toBeGreaterThan(1e-3);
    numbers(at(made, "model/1-conv/kernel")).forEach((w, i) => {
      expect(a[i]! + b[i]!).toBeCloseTo(w, 6);
    });
    expect(() => expand.branches(made, "2-relu")).toThrow("a convolution or a dense layer is required, got relu");
    expect(() => expand.branches(made, "9-conv")).toThrow("one of the layers 1-conv");
  });
});

describe("two transformers", () => {
  const of = (width: number, seed: number) =>
    stirred(vit({ patch: 4, width, depth: 3, heads: 2, widen: 1 }), [8, 8, 1], 3, seed);
  const [small, large] = [of(8, 1), of(12, 2)];
  const many = random(5).normals([60, 8, 8, 1]);
  const rows = table(Float32Array.from(many.dataSync()), new Int32Array(60), [8, 8, 1], 1);

  test("stitched to itself a network answers as before", () => {
    const { network: same } = expand.stitch(small, small, rows, { after: 2, from: 2 });
    expect(apart(small, same, images)).toBeLessThan(1e-2);
  });

  test("have a map at the seam whose errors are at right angles to what comes in", () => {
    const { network: both } = expand.stitch(small, large, rows, { after: 1, from: 2, samples: 60 });
    const names = both.model.names!;
    const seam = names.findIndex((name, i) => i > 3 && name.endsWith("-dense"));
    const given = tf.reshape(through(both, many, names.slice(0, seam)), [-1, 8]);
    const mapped = tf.reshape(through(both, many, names.slice(0, seam + 1)), [-1, 12]);
    const flat = expand.reorder(large, [0, 1, 2]).network;
    const wanted = tf.reshape(through(flat, many, flat.model.names!.slice(0, 6)), [-1, 12]);
    const error = tf.sub(wanted, mapped) as tf.Tensor2D;
    const products = numbers(tf.matMul(given as tf.Tensor2D, error, true));
    const size = Math.sqrt(numbers(tf.sum(tf.square(error)))[0]! * numbers(tf.sum(tf.square(given)))[0]!);
    expect(Math.max(...products.map(Math.abs)) / size).toBeLessThan(1e-3);
    expect(numbers(tf.mean(tf.square(error)))[0]).toBeLessThan(numbers(tf.mean(tf.square(wanted)))[0]!);
    expect(() => expand.stitch(small, large, rows, { after: 4, from: 1 })).toThrow(
      "at most 3 blocks and one from 0 to 2",
    );
  });

  test("deeper by interpolation or by stacking have each block where the formula says", () => {
    const orders = (by: "interpolation" | "stacking") => {
      const deep = expand.interpolate(small, 5, { by }).network;
      const kernels = [1, 2, 3].map((k) => numbers(at(small, `model/block${k}/up/kernel`)).join());
      return [5, 6, 7, 8, 9].map((i) => kernels.indexOf(numbers(at(deep, `model/${i}-transformer/up/kernel`)).join()));
    };
    expect(orders("interpolation")).toEqual([0, 0, 1, 1, 2]);
    expect(orders("stacking")).toEqual([0, 1, 2, 0, 1]);
    expect(() => expand.interpolate(small, 2)).toThrow("a depth of at least 3 is required, got 2");
  });
});

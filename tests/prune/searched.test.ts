import { blobs, digits, mlp, network, prune, quantise, random, table, tf, trained, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { search } from "../../lib/prune/evolved.ts";
import { mattersBy } from "../../lib/quantise/layerwise.ts";

const drawn = (model: Parameters<typeof network>[0], input: number[], columns: number) =>
  trained({ model: model as never, input, weights: network(model, input).init(random(2), columns) });

describe("EvoPress", () => {
  test("finds what going through all genomes finds, and keeps the sum of levels", () => {
    const levels = [-2, -1, 0, 1, 2];
    const cost = [
      [3, 1, 0, 4, 9],
      [0, 1, 5, 6, 7],
      [9, 5, 2, 1, 0],
      [2, 0, 3, 0, 8],
    ];
    const of = (genome: readonly number[]): number => genome.reduce((sum, level, i) => sum + cost[i]![level + 2]!, 0);
    const all = levels.flatMap((a) => levels.flatMap((b) => levels.flatMap((c) => levels.map((d) => [a, b, c, d]))));
    const least = Math.min(...all.filter((genome) => genome.reduce((a, b) => a + b, 0) === 0).map(of));
    const found = search([0, 0, 0, 0], (genome, at, by) => Math.abs(genome[at]! + by) <= 2, of, {
      generations: 60,
      children: 8,
      most: 1,
      rng: random(0),
    });
    expect(found.reduce((a, b) => a + b, 0)).toBe(0);
    expect(of(found)).toBe(least);
  });

  test("keeps the share of zeros of the whole, and answers no less like the whole network than shares alike do", () => {
    const { train } = blobs({ classes: 4, dimensions: 12 });
    const big = drawn(mlp({ hidden: [32, 24, 8] }), [12], 4);
    const given = { sparsity: 0.6, rule: "magnitude", samples: 32 } as const;
    const first = prune.evolved(big, train, { ...given, reach: 1, generations: 1, children: 1 });
    const found = prune.evolved(big, train, { ...given, generations: 20 });
    expect(found.report.sparsity).toBeCloseTo(0.6, 2);
    expect(found.report.layers.map(({ sparsity }) => sparsity.toFixed(2))).not.toEqual(["0.60", "0.60", "0.60"]);
    expect(found.report.error).toBeLessThan(first.report.error!);
    expect(prune.evolved(big, train, { ...given, generations: 20 }).network.checksum).toBe(found.network.checksum);
  });
});

describe("bits by layers", () => {
  test("a block that changes little of what passes matters least, and gets few bits", () => {
    const model = vit({ patch: 4, width: 8, depth: 3, heads: 2, widen: 1 });
    const weights = network(model, [8, 8, 1]).init(random(3), 4);
    const block = (weights.model as unknown as Record<string, Record<string, Record<string, tf.Tensor>>>).block2!;
    for (const part of ["out", "down"])
      for (const name of ["kernel", "bias"]) block[part]![name] = tf.mul(block[part]![name]!, 0.001);
    const big = trained({ model, input: [8, 8, 1], weights });
    const rows = table(Float32Array.from(random(1).normals([6, 64]).dataSync()), new Int32Array(6), [8, 8, 1], 1);
    const blocks = ["model/block1", "model/block2", "model/block3"];
    const found = mattersBy(big, "shift", rows, 6, blocks);
    expect(found.get("model/block2")).toBeCloseTo(-1, 4);
    expect(Math.max(...found.values())).toBeGreaterThan(-0.999);
    const made = quantise.layerwise(big, rows, { lowered: 1 / 3, high: 8, low: 2, filter: blocks });
    for (const { path, bits } of made.report.layers) expect(bits).toBe(path.startsWith("model/block2/") ? 2 : 8);
    expect(made.report.bits).toBeCloseTo(6, 6);
    expect(() => quantise.layerwise(big, rows)).toThrow('by "shift" layers that give the shape they get are required');
  });

  test("by how few numbers are a deviation above the mean", () => {
    const big = drawn(mlp({ hidden: [4, 4] }), [3], 2);
    const kernel = (big.weights.model["2-dense"] as { readonly kernel: tf.Tensor }).kernel.dataSync() as Float32Array;
    const mean = kernel.reduce((a, b) => a + b, 0) / 12;
    const deviation = Math.sqrt(kernel.reduce((a, b) => a + (b - mean) ** 2, 0) / 12);
    const found = mattersBy(big, "large", digits().train, 1, ["model/2-dense", "model/4-dense"]);
    expect(found.get("model/2-dense")).toBeCloseTo(-kernel.filter((w) => (w - mean) / deviation > 1).length / 12, 6);
  });
});

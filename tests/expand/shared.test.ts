import { expand, mlp, net, random, table, tf, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { tape } from "../../lib/models/model.ts";
import { elasticOf, gatesOf, maskOf, subnetOf } from "../../lib/models/parts/elastic.ts";
import { withinPart } from "../../lib/models/parts/masked-pass.ts";
import type { TrainedNetwork } from "../../lib/models/trained.ts";
import { apart, at, numbers, stirred } from "./support.ts";

const images = random(2).normals([5, 8, 8, 1]);
const four = stirred(vit({ patch: 4, width: 8, depth: 4, heads: 2, widen: 2 }), [8, 8, 1]);

/** What a network answers with units and blocks multiplied by 0. */
function masked(made: TrainedNetwork, x: tf.Tensor, widths: number[], depth?: number): number[] {
  const elastic = elasticOf("test", made.model, made.input);
  const part = subnetOf("test", elastic, widths, depth);
  const within = withinPart(elastic, tf.tensor1d(maskOf(elastic, part)), tf.tensor1d(gatesOf(elastic, part)));
  const { mode } = tape(false, null, made.statistics, within);
  return numbers(made.structure.logits(made.weights, made.structure.features(made.weights, x, mode)));
}

describe("parts of a network", () => {
  test.each([
    ["a transformer", four, images, [0.5, 0.25, 1, 0.75], 3],
    ["a perceptron", stirred(mlp({ hidden: [6, 5] }), [4]), random(3).normals([5, 4]), [0.5, 0.6], undefined],
    [
      "convolutions",
      stirred(net().conv(4, 3).relu().pool(2).conv(6, 3).relu().flatten().dense(8).gelu(), [8, 8, 1]),
      images,
      [0.5, 0.5, 0.25],
      undefined,
    ],
  ] as const)("cut out of %s answer as with 0 in the place of what is left out", (_, made, x, widths, depth) => {
    const small = expand.slice(made, { widths, ...(depth !== undefined && { depth }) });
    const logits = small.network.predict(x);
    const wanted = masked(made, x, [...widths], depth);
    numbers(logits).forEach((z, i) => {
      expect(z).toBeCloseTo(wanted[i]!, 5);
    });
    expect(small.report.parameters[1]).toBeLessThan(small.report.parameters[0]);
  });

  test("say what cannot be left out", () => {
    expect(() => expand.slice(four, { widths: [1] })).toThrow("one for each of 4 layers, is required, got [1]");
    expect(() => expand.slice(four, { depth: 5 })).toThrow("at most 4 blocks is required, got 5");
    expect(() => expand.slice(stirred(net().dense(3).batchNorm().relu(), [2]))).toThrow("that a rectifier follows");
  });

  test("that evolution finds are those that looking at all finds", () => {
    const plain = stirred(mlp({ hidden: [6, 5] }), [4]);
    const head = { kernel: random(9).normals([5, 3]), bias: tf.zeros([3]) };
    const made = plain.with({ weights: { ...plain.weights, head } });
    const x = random(5).normals([40, 4]);
    const labels = tf.argMax(made.predict(x), -1).dataSync() as Int32Array;
    const data = table(Float32Array.from(x.dataSync()), Int32Array.from(labels), [4], 1);
    const widths = [0.34, 0.6, 1];
    const all = widths.flatMap((a) =>
      widths.map((b) => {
        const { network: part } = expand.slice(made, { widths: [a, b] });
        const answers = tf.argMax(part.predict(x), -1).dataSync();
        return {
          key: `${a} ${b}`,
          parameters: part.parameters,
          right: [...answers].filter((y, i) => y === labels[i]).length,
        };
      }),
    );
    const best = all.filter(
      (one) =>
        !all.some(
          (other) =>
            other.parameters <= one.parameters &&
            other.right >= one.right &&
            (other.parameters < one.parameters || other.right > one.right),
        ),
    );
    const { front, tried } = expand.search(made, data, { widths, population: 8, generations: 8 });
    expect(tried).toBe(9);
    expect(front.map((part) => part.widths.join(" "))).toEqual(
      best.sort((a, b) => a.parameters - b.parameters).map(({ key }) => key),
    );
    expect(front.at(-1)!.accuracy).toBe(1);
  });
});

describe("stages that share their layers", () => {
  test("answer the same with as many layers as rounds, and stand as often as is said", () => {
    const model = net()
      .dense(4)
      .shared(2, (n) => n.dense(4).tanh())
      .shared(3, (n) => n.dense(4).tanh());
    const small = stirred(model, [3]);
    const x = random(1).normals([4, 3]);
    const same = expand.stages(small, [2, 3]);
    expect(apart(small, same.network, x)).toBe(0);
    expect(same.report.parameters).toEqual([4 * 4 + 2 * 20 + 15, 4 * 4 + 5 * 20 + 15]);
    expect(expand.stages(small, [1, 1]).network.parameters).toBe(small.parameters);
    expect(() => expand.stages(small, [2])).toThrow("a depth for each of 2 stages is required, got [2]");
    expect(() => expand.stages(four, [2])).toThrow("a network with shared layers is required");
  });
});

describe("blocks that are gone through several times", () => {
  /** A network whose blocks differ in their kernels alone, by matrices of rank 2. */
  function near(): TrainedNetwork {
    const first = four.weights.model.block1 as Record<string, Record<string, tf.Tensor>>;
    const block = (k: number) =>
      Object.fromEntries(
        Object.entries(first).map(([part, tree]) => {
          if (tree.kernel === undefined) return [part, tree];
          const [a, b] = tree.kernel.shape as [number, number];
          const change = tf.matMul(
            random(k).at(part, "a").normals([a, 2]) as tf.Tensor2D,
            random(k).at(part, "b").normals([2, b]) as tf.Tensor2D,
          );
          return [part, { ...tree, kernel: tf.add(tree.kernel, tf.mul(change, 0.1)) }];
        }),
      );
    const blocks = Object.fromEntries([1, 2, 3, 4].map((k) => [`block${k}`, k <= 2 ? first : block(k)]));
    return four.with({ weights: { ...four.weights, model: { ...four.weights.model, ...blocks } } as never });
  }

  test("answer as before where the rank is as high as the difference, and nearer to it the higher it is", () => {
    const made = near();
    const off = [0, 1, 2].map((rank) =>
      apart(made, expand.recursive(made, { blocks: 2, rank, begin: "lower" }).network, images),
    );
    expect(off[2]).toBeLessThan(2e-6);
    expect(off[0]).toBeGreaterThan(1e-3);
    expect(off[1]).toBeLessThan(off[0]!);
  });

  test("begin as the mean, the first, or evenly far apart", () => {
    const kernel = (made: TrainedNetwork, block: number): number[] =>
      numbers(at(made, `model/5-recursive/block${block}/up/kernel`));
    const own = (block: number): number[] => numbers(at(four, `model/block${block}/up/kernel`));
    const of = (begin: "average" | "lower" | "stepwise") => expand.recursive(four, { blocks: 2, begin }).network;
    kernel(of("average"), 1).forEach((w, i) => {
      expect(w).toBeCloseTo((own(1)[i]! + own(3)[i]!) / 2, 6);
    });
    expect(kernel(of("lower"), 2)).toEqual(own(2));
    expect(kernel(of("stepwise"), 2)).toEqual(own(4));
    expect(() => expand.recursive(four, { blocks: 3 })).toThrow("blocks that divide the depth of 4");
  });
});

describe("modules that are trained apart", () => {
  test("stand in their slot, the rest of the meta network around them, and are put together", () => {
    const meta = stirred(vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }), [8, 8, 1], 3, 7);
    const teacher = expand.incubate(meta, { slot: 0, of: { network: four, from: 0, to: 2 } });
    expect(teacher.module).toEqual(["5-transformer", "6-transformer"]);
    const wanted = expand.assemble(meta, [
      teacher,
      expand.incubate(meta, { slot: 1, of: { network: four, from: 2, to: 4 } }),
    ]).network;
    // the meta network around the blocks of the other one
    const { class: token, positions, patches, norm } = meta.weights.model;
    const around = { ...four.weights.model, class: token, positions, patches, norm } as never;
    const by = four.with({ weights: { ...four.weights, model: around, head: meta.weights.head } });
    expect(apart(wanted, by, images)).toBeLessThan(1e-6);
    const drawn = expand.incubate(meta, { slot: 1, depth: 3, seed: 4 });
    expect(drawn.module).toEqual(["6-transformer", "7-transformer", "8-transformer"]);
    expect(drawn.network.checksum).not.toBe(expand.incubate(meta, { slot: 1, depth: 3 }).network.checksum);
    expect(() => expand.assemble(meta, [drawn, drawn])).toThrow("at most one module for each slot");
    expect(() => expand.incubate(meta, { slot: 2, depth: 1 })).toThrow(
      "the number of a block is required as slot, got 2",
    );
    expect(() => expand.incubate(meta, { slot: 0 })).toThrow("got both or neither");
  });
});

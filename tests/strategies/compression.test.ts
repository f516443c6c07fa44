import {
  adam,
  classes,
  digits,
  from,
  granet,
  maskLora,
  merged,
  net,
  paths,
  prune,
  quantise,
  random,
  reste,
  type Strategy,
  sgd,
  st3,
  stableRps,
  type TrainedNetwork,
  type Tree,
  ternary,
  tf,
} from "thalweg";
import { beforeAll, describe, expect, test } from "vitest";
import { type Tap, tape, type Within } from "../../lib/models/model.ts";
import { network } from "../../lib/models/network.ts";
import { changed, densities, randomMask } from "../../lib/strategies/compression/granet.ts";
import { slopeAt } from "../../lib/strategies/compression/reste.ts";
import { thresholded } from "../../lib/strategies/compression/st3.ts";
import { drawnPlaces } from "../../lib/strategies/compression/stable-rps.ts";
import { inThree, roundedTo } from "../../lib/strategies/compression/ternary.ts";

const numbers = (of: tf.Tensor): number[] => [...of.dataSync()];
const drawn = (shape: number[], seed: number): tf.Tensor => random(seed).normals(shape);

describe("by hand", () => {
  test("ST-3 takes the threshold off all sizes, and gives units back what they lost in mean size", () => {
    const [a, b] = [drawn([5, 3], 1), drawn([4, 2], 2)];
    const found = thresholded({ a, b }, tf.scalar(0.6), false);
    const sizes = [...numbers(a), ...numbers(b)].map(Math.abs).sort((x, y) => x - y);
    const [below, above] = [sizes[Math.floor(0.6 * 23) - 1]!, sizes[Math.floor(0.6 * 23) + 1]!];
    for (const [w, soft] of [
      [a, found.a!],
      [b, found.b!],
    ] as const) {
      const units = w.shape.at(-1)!;
      const [was, now] = [numbers(w), numbers(soft)];
      for (let unit = 0; unit < units; unit++) {
        const own = was.map((x, i) => ({ x, y: now[i]!, unit: i % units })).filter((each) => each.unit === unit);
        const kept = own.filter(({ y }) => y !== 0);
        for (const { x, y } of own) expect(Math.abs(x) > above ? y !== 0 : Math.abs(x) > below || y === 0).toBe(true);
        const share =
          (kept.reduce((sum, { x }) => sum + Math.abs(x), 0) / own.length + 1e-6) /
          (own.reduce((sum, { x }) => sum + Math.abs(x), 0) / own.length + 1e-6);
        for (const { x, y } of kept) {
          const least = Math.abs(x) - (Math.abs(y) * (share + 0.01)) / 1.01;
          expect(least).toBeGreaterThanOrEqual(below - 1e-5);
          expect(least).toBeLessThanOrEqual(above + 1e-5);
          expect(Math.sign(y)).toBe(Math.sign(x));
        }
      }
    }
    const sigma = thresholded({ a, b }, tf.scalar(0.5), true);
    expect([...numbers(sigma.a!), ...numbers(sigma.b!)].filter((x) => x === 0).length).toBeGreaterThanOrEqual(11);
  });

  test("GraNet prunes all kernels together, then exchanges a share of each for zeros with large gradients", () => {
    const w = { a: drawn([6, 4], 3), b: drawn([5, 5], 4) };
    const g = { a: drawn([6, 4], 5), b: drawn([5, 5], 6) };
    const mask = { a: tf.onesLike(w.a), b: tf.onesLike(w.b) };
    const found = changed(mask, w, g, tf.scalar(0.5), tf.scalar(0.25));
    const all = [...numbers(w.a), ...numbers(w.b)].map(Math.abs).sort((x, y) => y - x);
    const bound = all[Math.floor(49 * 0.5)]!;
    for (const name of ["a", "b"] as const) {
      const [size, slope] = [numbers(w[name]).map(Math.abs), numbers(g[name]).map(Math.abs)];
      const left = size.filter((x) => x > bound).length;
      const stays = Math.floor(left * 0.75);
      const order = [...size.keys()].sort((i, j) => size[j]! - size[i]!).slice(0, stays);
      const rest = [...size.keys()].filter((i) => !order.includes(i)).sort((i, j) => slope[j]! - slope[i]!);
      const wanted = new Set([...order, ...rest.slice(0, left - stays)]);
      expect(numbers(found[name]!)).toEqual([...size.keys()].map((i) => (wanted.has(i) ? 1 : 0)));
    }
  });

  test("layers keep numbers in proportion to their sides over their product, at most all, and in total the share", () => {
    const shapes = [
      [3, 3, 1, 8],
      [3, 3, 8, 16],
      [64, 32],
    ];
    const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
    const found = densities(shapes, 0.8);
    const kept = shapes.reduce((sum, shape, i) => sum + size(shape) * found[i]!, 0);
    expect(kept).toBeCloseTo(0.2 * shapes.reduce((sum, shape) => sum + size(shape), 0), 6);
    expect(Math.max(...found)).toBeLessThanOrEqual(1);
    expect(found[1]! / found[2]!).toBeCloseTo(30 / 1152 / (96 / 2048), 6);
    const mask = randomMask({ w: tf.zeros([40, 50]) }, 0.7, random(0));
    expect(numbers(mask.w!).filter((x) => x === 1).length / 2000).toBeCloseTo(0.3, 1);
  });

  test("three values, and rows of few bits", () => {
    const w = tf.tensor2d([
      [0.1, -0.4, 0.2],
      [0.9, -0.04, 0.3],
    ]);
    numbers(inThree(w, "mean")).forEach((x, i) => {
      expect(x).toBeCloseTo([0, -1, 1, 1, 0, 1][i]! * (1.94 / 6), 5);
    });
    const median = numbers(inThree(w, "median")).map((x) => Math.sign(x) + 0);
    expect(median).toEqual([0, -1, 1, 1, 0, 1]);
    const row = [1, 2, 4, 9];
    const [mean, deviation] = [4, Math.sqrt(38 / 4 + 1e-5)];
    const normal = row.map((x) => (x - mean) / deviation);
    const by = 8 / Math.max(...normal.map(Math.abs));
    numbers(roundedTo(tf.tensor2d([row]), 4)).forEach((x, i) => {
      expect(x).toBeCloseTo(Math.min(7, Math.max(-8, Math.round(normal[i]! * by))) / by, 4);
    });
  });

  test("ReSTE's gradient is that of the power, by differences; straight near 0; none beyond its reach; with o = 1 straight through", () => {
    const f = (z: number, o: number) => Math.sign(z) * Math.abs(z) ** (1 / o);
    const at = [-1.4, -0.6, 0.2, 0.9];
    for (const o of [1, 2, 3])
      numbers(slopeAt(tf.tensor1d(at), tf.scalar(o), 1.5)).forEach((slope, i) => {
        expect(slope).toBeCloseTo((f(at[i]! + 1e-5, o) - f(at[i]! - 1e-5, o)) / 2e-5, 4);
      });
    const [near, far] = numbers(slopeAt(tf.tensor1d([0.03, 1.6]), tf.scalar(2), 1.5));
    expect(near).toBeCloseTo(Math.sqrt(0.1) / 0.1, 4);
    expect(far).toBe(0);
  });
});

describe("in training", () => {
  const quiet = { quiet: true, record: false } as const;
  const stream = classes(digits()).split(2).slice(0, 1);
  const model = net().flatten().dense(24).relu().dense(24).relu();
  const learnt = async (own: Strategy, epochs = 2): Promise<TrainedNetwork> => {
    const study = stream
      .learn(model)
      .by(own as never)
      .with(adam({ lr: 0.01 }))
      .train({ epochs, batch: 32 });
    return (await study.run(quiet)).network();
  };
  const kernels = (own: TrainedNetwork): number[] =>
    paths(own.weights.model as Tree).flatMap(([path, w]) => (path.endsWith("kernel") ? numbers(w) : []));
  const zeros = (own: TrainedNetwork): number => kernels(own).filter((w) => w === 0).length / kernels(own).length;
  const accuracy = (own: TrainedNetwork): number => {
    const { examples } = stream.test(0);
    const found = own.classify(examples);
    return found.filter((answer, i) => answer.class === String(examples.labels[i])).length / examples.length;
  };
  let dense: TrainedNetwork;
  beforeAll(async () => {
    const study = stream
      .learn(model)
      .with(adam({ lr: 0.01 }))
      .train({ epochs: 2 });
    dense = await (await study.run(quiet)).network();
  });

  test("ST-3 ends with the share of zeros that it was asked for, in the weights themselves", async () => {
    const own = await learnt(st3({ sparsity: 0.85 }));
    expect(zeros(own)).toBeCloseTo(0.85, 2);
    expect(accuracy(own)).toBeGreaterThan(0.5);
    own.dispose();
  });

  test.each([
    ["reste", reste({ activations: true }), 2],
    ["ternary", ternary({ activations: 2 }), 4],
  ] as const)("%s rounds what comes into the products within blocks too", (name, strategy, levels) => {
    const plan = net().dense(12).reshape([3, 4]).transformer(2, { causal: false, widen: 1 }).first();
    const structure = network(plan as never, [5]);
    const weights = structure.init(random(2), 3);
    let given: Within = {};
    const plain = (more: Within): object => {
      given = more;
      return {};
    };
    strategy.hooks.forward!(
      { tensors: {}, carried: undefined } as never,
      { plain, weights, network: structure } as never,
    );
    const seen = new Map<string, number[]>();
    const tap: Tap = (path, input, output) => {
      seen.set(path.slice(1).join("/"), numbers(input));
      return output;
    };
    structure.features(weights, drawn([4, 5], 7), tape(false, null, {}, { into: given.into, tap }).mode);
    const within = [...seen].filter(([path]) => path.includes("transformer/"));
    expect(within.length).toBeGreaterThanOrEqual(6);
    for (const [path, rows] of within) {
      const width = path.endsWith("down") ? rows.length / 12 : 4;
      for (let i = 0; i < rows.length; i += width) {
        const row = rows.slice(i, i + width);
        if (name === "reste") expect(row.every((v) => Math.abs(v) === 1)).toBe(true);
        expect(new Set(row.map((v) => v.toFixed(4))).size).toBeLessThanOrEqual(levels);
      }
    }
  });

  test("GraNet keeps the share of zeros through its exchanges, and ends with it", async () => {
    const own = await learnt(granet({ sparsity: 0.8, every: 4 }));
    expect(zeros(own)).toBeGreaterThan(0.79);
    expect(zeros(own)).toBeLessThan(0.82);
    expect(accuracy(own)).toBeGreaterThan(0.5);
    own.dispose();
  });

  test("a ternary network answers as quantise.ternary of it does, with two bits", async () => {
    const own = await learnt(ternary());
    const { predicting: _, ...parts } = own.parts;
    const plain = quantise.ternary(dense.with({ ...parts }));
    const x = drawn([4, ...own.input], 9);
    const [a, b] = [own.predict(x), plain.network.predict(x)].map(numbers);
    a!.forEach((value, i) => {
      expect(value).toBeCloseTo(b![i]!, 3);
    });
    expect(accuracy(own)).toBeGreaterThan(0.5);
    own.dispose();
  });

  test("a binary network learns, and its first layer stays as it is", async () => {
    const own = await learnt(reste({ activations: true }));
    expect(accuracy(own)).toBeGreaterThan(0.5);
    own.dispose();
  });

  test("kernels read out of one array: at the full length training is plain training; below it many numbers are one", async () => {
    const study = stream
      .learn(model)
      .with(sgd({ lr: 0.1 }))
      .train({ epochs: 1, batch: 64 });
    const plain = await (await study.run(quiet)).network();
    const whole = await (await study.by(stableRps({ budget: 1 })).run(quiet)).network();
    const x = drawn([4, ...plain.input], 5);
    const [a, b] = [plain, whole].map((own) => numbers(own.predict(x)));
    a!.forEach((value, i) => {
      expect(b![i]).toBeCloseTo(value, 3);
    });
    const short = await learnt(stableRps({ budget: 0.1 }));
    const count = kernels(short).length;
    const array = (short.weights.added!.stableRps as { readonly array: tf.Tensor }).array;
    expect(array.size).toBe(Math.round(0.1 * count));
    expect(accuracy(short)).toBeGreaterThan(0.4);
    const uses = new Map<number, number>();
    for (const place of drawnPlaces(25, 10, random(0))) uses.set(place, (uses.get(place) ?? 0) + 1);
    expect([...uses.values()].sort()).toEqual([2, 2, 2, 2, 2, 3, 3, 3, 3, 3]);
    for (const own of [plain, whole, short]) own.dispose();
  });

  test("a low-rank change where kernels are not 0 keeps the zeros, also merged", async () => {
    const small = prune.magnitude(dense, { sparsity: 0.7 }).network;
    for (const form of ["mask", "scale"]) {
      const start = from(small, { head: "keep" }).adapt(maskLora({ rank: 2, form }));
      const study = stream.learn(start.trainOnly([{ kind: "adapter" }, { kind: "bias" }]));
      const on = await (
        await study
          .with(adam({ lr: 0.01 }))
          .train({ epochs: 1 })
          .run(quiet)
      ).network();
      const plain = merged(on);
      expect(kernels(plain).map((w) => w === 0)).toEqual(kernels(small).map((w) => w === 0));
      expect(kernels(plain)).not.toEqual(kernels(small));
      expect(accuracy(plain)).toBeGreaterThanOrEqual(accuracy(small) - 0.05);
      for (const each of [on, plain]) each.dispose();
    }
  });
});

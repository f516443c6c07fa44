import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  classes,
  digits,
  expand,
  from,
  gpt,
  layers,
  liveBytes,
  loadNetwork,
  net,
  network,
  random,
  resnet,
  saveNetwork,
  table,
  tape,
  tf,
  valueAndGrad,
  vit,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { apart, at, numbers, stirred, through } from "./support.ts";

const small = stirred(vit({ patch: 4, width: 8, depth: 2, heads: 2, widen: 2 }), [8, 8, 1]);
const images = random(2).normals([5, 8, 8, 1]);
const text = stirred(gpt({ tokens: 7, width: 8, depth: 4, heads: 2 }), [6], 7);
const digit = stirred(vit({ patch: 4, width: 8, depth: 1, heads: 2, widen: 1 }), [8, 8, 1], 10);
const tokens = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1], [2, 6]);

describe("a transformer that grows", () => {
  test.each([
    ["inner", { inner: 40 }],
    ["heads", { heads: 3 }],
    ["values", { values: 7 }],
    ["keys", { keys: 9 }],
    ["width", { width: 13 }],
    ["layers", { layers: [0, 1, 2] }],
    ["all", { inner: 40, heads: 3, values: 7, keys: 9, width: 14, layers: [1] }],
  ])("answers the same with more %s", (_, options) => {
    const { network: large, report } = expand.grow(small, options);
    expect(apart(small, large, images)).toBeLessThan(1e-6);
    expect(report.parameters[1]).toBeGreaterThan(report.parameters[0]);
  });

  test("answers the same at every place of a text, is saved and learns on", async () => {
    const large = expand.grow(text, { inner: 40, heads: 3, values: 7, keys: 9, width: 14, layers: [1] }).network;
    expect(apart(text, large, tokens)).toBeLessThan(1e-6);
    const folder = mkdtempSync(join(tmpdir(), "grown-"));
    saveNetwork(large, folder);
    expect(loadNetwork(folder).checksum).toBe(large.checksum);
    rmSync(folder, { recursive: true });
    const run = await classes(digits())
      .split(1)
      .limit({ train: 40, test: 20 })
      .learn(from(expand.grow(digit, { inner: 12, layers: [0] }).network))
      .train({ batch: 20, epochs: 1 })
      .run({ quiet: true, record: false });
    expect((await run.network()).parameters).toBeGreaterThan(digit.parameters);
  });

  test("has the new numbers that are free from the seed, and zeros only where they must be", () => {
    const grown = expand.grow(small, { inner: 40, keys: 9, width: 13 }).network;
    const zeros = (path: string): number => numbers(at(grown, path)).filter((x) => x === 0).length;
    expect(zeros("model/5-transformer/up/kernel")).toBe(0);
    expect(zeros("model/5-transformer/query/kernel")).toBe(0);
    expect(zeros("model/5-transformer/down/kernel")).toBe(40 * 13 - 16 * 8);
    expect(zeros("head/kernel")).toBe(0);
    expect(expand.grow(small, { inner: 40, seed: 1 }).network.checksum).not.toBe(
      expand.grow(small, { inner: 40 }).network.checksum,
    );
  });

  test("says what cannot be", () => {
    expect(() => expand.grow(small, { inner: 3 })).toThrow("inner of at least 16 is required, got 3");
    expect(() => expand.grow(small, { layers: [5] })).toThrow("places from 0 to 2 are required, got 5");
    expect(() => expand.grow(stirred(net().dense(4), [3]), { inner: 9 })).toThrow("transformer blocks is required");
    const waves = stirred(vit({ patch: 4, width: 8, depth: 1, heads: 2, positions: "sinusoidal" }), [8, 8, 1]);
    expect(() => expand.grow(waves, { width: 9 })).toThrow("a network like vit or gpt is required");
  });
});

describe("blocks in another order", () => {
  const block = [2, 3, 4, 5].map((i) => `${i}-transformer`);
  const four = expand.reorder(text, [0, 1, 2, 3]).network;
  const between = (run: (x: tf.Tensor) => tf.Tensor): tf.Tensor =>
    through(four, run(through(four, tokens, ["1-embedding"])), ["6-layerNorm"]);
  const each = (names: number[]) => (x: tf.Tensor) =>
    through(
      four,
      x,
      names.map((i) => block[i]!),
    );

  test("give what they give one by one, skipped, turned round, repeated, side by side", () => {
    expect(four.checksum).not.toBe("");
    const cases: [expand.BlockOrder, (x: tf.Tensor) => tf.Tensor][] = [
      [[0, 1, 2, 3], each([0, 1, 2, 3])],
      [[0, 3], each([0, 3])],
      [[3, 1, 1, 0], each([3, 1, 1, 0])],
      [
        [0, [1, 2, 3], 3],
        (x) => {
          const first = each([0])(x);
          const sum = tf.addN([1, 2, 3].map((i) => each([i])(first)));
          return each([3])(tf.div(sum, 3));
        },
      ],
    ];
    for (const [order, by] of cases) {
      const found = numbers(expand.reorder(text, order).network.features(tokens));
      const wanted = numbers(between(by));
      found.forEach((x, i) => {
        expect(x).toBeCloseTo(wanted[i]!, 4);
      });
    }
    expect(() => expand.reorder(text, [4])).toThrow("blocks from 0 to 3 are required, got 4");
  });

  test("can be one, as wide as all: the sum of what the dense layers add", () => {
    const dense = (i: number) => (x: tf.Tensor) => {
      const of = (path: string): tf.Tensor => at(four, `model/${block[i]}/${path}`);
      const { mean, variance } = tf.moments(x, -1, true);
      const norm = tf.add(
        tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), of("between/scale")),
        of("between/shift"),
      );
      const up = tf.add(
        tf.matMul(tf.reshape(norm, [12, 8]) as tf.Tensor2D, of("up/kernel") as tf.Tensor2D),
        of("up/bias"),
      );
      const inner = tf.mul(
        tf.mul(up, 0.5),
        tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(up, tf.mul(tf.pow(up, 3), 0.044715))))),
      );
      const down = tf.add(tf.matMul(inner as tf.Tensor2D, of("down/kernel") as tf.Tensor2D), of("down/bias"));
      return tf.reshape(down, x.shape);
    };
    const wanted = numbers(
      between((x) => {
        const first = each([0])(x);
        return each([3])(tf.addN([first, dense(1)(first), dense(2)(first)]));
      }),
    );
    const { network: fused, report } = expand.fuse(text, { blocks: [2, 1] });
    numbers(fused.features(tokens)).forEach((x, i) => {
      expect(x).toBeCloseTo(wanted[i]!, 4);
    });
    expect(report.parameters[0] - report.parameters[1]).toBe(2 * (4 * (8 * 8 + 8) + 16) + 16 + 8);
    expect(() => expand.fuse(text, { blocks: [0, 2] })).toThrow("neighbours among the blocks from 0 to 3");
  });

  test("depend on those before them as the cosine says", () => {
    const rows = table(Float32Array.from(tokens.dataSync()), new Int32Array(2), [6], 1);
    const matrix = expand.dependencies(text, rows);
    const first = through(four, tokens, ["1-embedding"]);
    const adds = (x: tf.Tensor): tf.Tensor => tf.sub(each([1])(x), x);
    const [a, b] = [adds(each([0])(first)), adds(first)];
    const cosines = tf.div(tf.sum(tf.mul(a, b), -1), tf.mul(tf.norm(a, 2, -1), tf.norm(b, 2, -1)));
    expect(matrix[0]![1]).toBeCloseTo(1 - tf.mean(cosines).dataSync()[0]!, 5);
    expect(matrix[1]![0]).toBe(0);
  });
});

describe("levels", () => {
  test("twice the width answers the same, and half of that is what was", () => {
    const twice = expand.decoalesce(text, { depth: false }).network;
    expect(apart(text, twice, tokens)).toBeLessThan(1e-6);
    const back = expand.coalesce(twice, { depth: false }).network;
    numbers(at(back, "model/3-transformer/up/kernel")).forEach((x, i) => {
      expect(x).toBeCloseTo(numbers(at(text, "model/block2/up/kernel"))[i]!, 6);
    });
    const deep = expand.decoalesce(text, { width: false }).network;
    expect(expand.coalesce(deep, { width: false }).network.parameters).toBe(text.parameters);
  });

  test("are the products with the matrices of the source", () => {
    const half = expand.coalesce(text, { depth: false }).network;
    const eye = (n: number): tf.Tensor2D => tf.concat([tf.eye(n), tf.eye(n)], 1) as tf.Tensor2D;
    const kernel = at(text, "model/block1/value/kernel") as tf.Tensor2D;
    // rows are read: F W; columns are written: W (F / 2)ᵀ
    const wanted = tf.matMul(tf.matMul(eye(4), kernel), tf.div(eye(4), 2) as tf.Tensor2D, false, true);
    numbers(at(half, "model/2-transformer/value/kernel")).forEach((x, i) => {
      expect(x).toBeCloseTo(numbers(wanted)[i]!, 6);
    });
    const quarter = expand.coalesce(text).network;
    const mean = tf.div(
      tf.add(at(half, "model/2-transformer/value/kernel"), at(half, "model/3-transformer/value/kernel")),
      2,
    );
    expect(numbers(at(quarter, "model/2-transformer/value/kernel"))).toEqual(numbers(mean));
    const mixed = expand.decoalesce(quarter, { into: text, alpha: 0.25 }).network;
    const twins = expand.decoalesce(quarter).network;
    const [a, b] = [at(text, "model/block3/up/bias"), at(twins, "model/4-transformer/up/bias")].map(numbers) as [
      number[],
      number[],
    ];
    numbers(at(mixed, "model/4-transformer/up/bias")).forEach((x, i) => {
      expect(x).toBeCloseTo(0.75 * a[i]! + 0.25 * b[i]!, 6);
    });
    expect(() => expand.decoalesce(quarter, { into: quarter })).toThrow("to mix with, got one of");
  });
});

describe("convolutions with normalisation", () => {
  const plain = stirred(resnet({ depth: 18, filters: 4 }), [8, 8, 1]);

  test("answer the same in every mode", () => {
    for (const mode of ["train", "eval", "tune", "deploy"] as const) {
      const { network: made, report } = expand.convBn(plain, mode);
      expect(apart(plain, made, images), mode).toBeLessThan(2e-5);
      if (mode !== "train") expect(JSON.stringify(made.model.toJSON())).not.toContain("batchNorm");
      if (mode === "deploy") expect(report.parameters[1]).toBeLessThan(report.parameters[0]);
      if (mode !== "deploy") expect(apart(plain, expand.convBn(made, "deploy").network, images)).toBeLessThan(2e-5);
    }
    expect(() => expand.convBn(small, "deploy")).toThrow("convolutions followed by batchNorm is required");
  });

  test("have in tune mode the gradients of eval mode, and leave the statistics", () => {
    const of = (mode: "eval" | "tune") => {
      const model = net().convBn(3, 3, { mode, bias: true }).relu().globalPool();
      const made = stirred(model, [8, 8, 1]);
      const structure = network(model, [8, 8, 1]);
      return tf.tidy(() => {
        const { mode: now, written } = tape(true, null, made.statistics);
        const { value, grads } = valueAndGrad(
          (weights: typeof made.weights) =>
            tf.mean(tf.square(structure.logits(weights, structure.features(weights, images, now)))) as tf.Scalar,
          made.weights,
        );
        const own = grads.model["1-convBn"] as Record<string, tf.Tensor>;
        expect(numbers((written()["1-convBn"] as Record<string, tf.Tensor>).mean!)).toEqual(
          numbers((made.statistics["1-convBn"] as Record<string, tf.Tensor>).mean!),
        );
        return [value.dataSync()[0]!, ...["kernel", "bias", "scale", "shift"].flatMap((name) => numbers(own[name]!))];
      });
    };
    const [tune, evaluated] = [of("tune"), of("eval")];
    expect(Math.max(...tune.map(Math.abs))).toBeGreaterThan(0.01);
    tune.forEach((x, i) => {
      expect(x).toBeCloseTo(evaluated[i]!, 6);
    });
  });

  test("need fewer bytes in a step of training in tune mode than in eval mode", () => {
    const bytes = (mode: "eval" | "tune"): number => {
      const layer = layers.convBn(8, 3, { mode });
      const shapes = [[16, 12, 12, 4], [3, 3, 4, 8], [8], [8], [8], [8]].map((shape) => tf.zeros(shape));
      return liveBytes(([x, kernel, scale, shift, mean, variance]) => {
        const { mode: now } = tape(true, null, { mean: mean!, variance: variance! });
        const { grads } = valueAndGrad(
          (params: Record<string, tf.Tensor>) => tf.sum(tf.relu(layer.apply(x!, params, now))) as tf.Scalar,
          { kernel: kernel!, scale: scale!, shift: shift! },
        );
        return Object.values(grads) as tf.Tensor[];
      }, shapes);
    };
    expect(bytes("tune")).toBeLessThan(0.8 * bytes("eval"));
  });
});

import { net, network, quantise, quantisedInput, random, ssm, type TrainedNetwork, table, tf, trained } from "thalweg";
import { describe, expect, test } from "vitest";
import { tape } from "../../lib/models/model.ts";
import { logarithmic } from "../../lib/quantise/fptq.ts";
import { statistics } from "../../lib/quantise/outliers.ts";
import { layerOf } from "../prune/support.ts";

const one = (rule: unknown, X: number[], options: object = {}) => {
  const { defaults, how } = rule as {
    defaults: object;
    how: {
      layer(
        layer: object,
        options: object,
      ): ReturnType<typeof quantise.rtn>["codes"] extends ReadonlyMap<string, infer C> ? C : never;
    };
  };
  return how.layer(layerOf({ inputs: 2, units: 2, X, W: [1, -2, 0.5, 0.25] }), { ...defaults, ...options });
};

describe("FPTQ (P225)", () => {
  test("a channel of size 14 is divided by 14 / log₂ 16, one that is always 0 by nothing", () => {
    expect(logarithmic(14)).toBeCloseTo(3.5, 9);
    expect(logarithmic(0)).toBe(1);
  });

  test("the range decides: one scale, equalised channels and one scale, or a scale of each row", () => {
    const near = one(quantise.fptq, [1, -12.7, 2, 3]);
    expect(near.by).toBeUndefined();
    expect(near.input!.scale).toBeCloseTo(0.1, 6);
    const far = one(quantise.fptq, [126, -6, 3, 2]);
    expect([...far.by!]).toEqual([126 / 7, 2].map(Math.fround)); // log₂ 128 = 7, log₂ 8 = 3
    expect(far.input!.scale).toBeCloseTo(7 / 127, 6);
    const wild = one(quantise.fptq, [1000, -6, 3, 2]);
    expect([wild.by, wild.input!.scale]).toEqual([undefined, 0]);
    expect(() => one(quantise.fptq, [1, 2], { low: 2, high: 1 })).toThrow("quantise.fptq: low up to high is required");
  });

  test("the network gives what products of whole numbers give", () => {
    const model = net().dense(3, { bias: false });
    const rows = Float32Array.from([126, -6, 3, 2, -60, 5]);
    const big = trained({ model, input: [2], weights: network(model, [2]).init(random(3), 2) });
    const made = quantise.fptq(big, table(rows, new Int32Array(3), [2], 1));
    const { codes, scale, zero, by, input, units } = made.codes.get("model/1-dense")!;
    const features = made.network.features(tf.tensor(rows, [3, 2])).dataSync();
    for (let n = 0; n < 3; n++)
      for (let unit = 0; unit < units; unit++) {
        const whole = [0, 1].reduce((sum, i) => {
          const x = Math.round(rows[2 * n + i]! / by![i]! / input!.scale);
          return sum + x * (codes[i * units + unit]! - zero[unit]!);
        }, 0);
        expect(features[n * units + unit]).toBeCloseTo(whole * input!.scale * scale[unit]!, 3);
      }
    expect(() => quantise.fptq(big, table(rows, new Int32Array(3), [2], 1), { filter: "head" })).toThrow(
      "layers of the model are required, got head",
    );
    for (const own of [big, made.network]) own.dispose();
  });
});

describe("SmoothQuant", () => {
  test("the root of the range goes over to the kernel", () => {
    const found = one(quantise.smoothQuant, [16, -1, 4, 0.5]);
    expect([...found.by!]).toEqual([Math.sqrt(16 / 2), Math.sqrt(1 / 0.5)].map(Math.fround));
    expect(one(quantise.smoothQuant, [16, -1], { alpha: 0 }).by).toBeUndefined();
    expect(one(quantise.smoothQuant, [16, -1], { rows: true }).input!.scale).toBe(0);
  });
});

describe("outlier channels (P166)", () => {
  test("of a hundred numbers one lies far out: it is its channel's, and the kurtosis is that of such a draw", () => {
    const rows = new Float64Array(100);
    rows[41] = -10;
    const { outliers, ranges, kurtosis } = statistics(rows, 4, 2, 6);
    expect([outliers, ranges]).toEqual([[1], [0, 10]]);
    expect(kurtosis).toBeCloseTo((1 - 3 * 0.0099) / 0.0099, 6); // of p = 0.01: (1 − 3pq) / pq
    expect(statistics(rows, 4, 2, 10).outliers).toEqual([]);
  });

  test("the products within Mamba are seen, and rounded", () => {
    const model = ssm({ kind: "mamba", width: 8, depth: 1, tokens: 5 });
    const big: TrainedNetwork = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 5) });
    const rows = table(
      Float32Array.from({ length: 12 }, (_, i) => i % 5),
      new Int32Array(2),
      [6],
      1,
    );
    const paths = quantise.outliers(big, rows).map(({ path }) => path.split("/").at(-1));
    expect(paths).toEqual(expect.arrayContaining(["in", "select", "step", "out"]));
    const made = quantise.smoothQuant(big, rows, { filter: ["*in", "*select", "*step", "*out"] });
    expect(made.report.error).toBeGreaterThan(0);
    expect(made.report.error).toBeLessThan(1e-2);
    for (const own of [big, made.network]) own.dispose();
  });
});

describe("rounded inputs", () => {
  test("every row has its own scale, and gradients go straight through", () => {
    const model = net()
      .dense(1, { bias: false })
      .adapt(quantisedInput({ bits: 3, train: "all" }));
    const params = model.init(random(0), [2]) as { "1-dense": { kernel: tf.Tensor } };
    const x = tf.tensor([
      [3, 1.4],
      [0.3, -0.16],
    ]);
    const kernel = tf.tensor([[1], [10]]);
    const own = { ...params, "1-dense": { ...params["1-dense"], kernel } };
    const run = (given: tf.Tensor): tf.Tensor => model.apply(own, given, tape(false, null, {}).mode);
    [13, 0.3 - 2].forEach((wanted, i) => {
      expect(run(x).dataSync()[i]).toBeCloseTo(wanted, 5); // 3 and 1; 0.3 and −0.2
    });
    expect([
      ...tf
        .grad((given) => tf.sum(run(given)))(x)
        .dataSync(),
    ]).toEqual([1, 10, 1, 10]);
    expect(() => quantisedInput({ bits: 1 })).toThrow("quantisedInput: bits");
  });
});

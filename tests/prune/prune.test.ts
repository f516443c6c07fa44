import {
  blobs,
  from,
  importOnnx,
  keepZeros,
  mlp,
  network,
  paths,
  prune,
  random,
  type TrainedNetwork,
  type Tree,
  tf,
  trained,
} from "thalweg";
import { beforeAll, describe, expect, test } from "vitest";
import type { KernelLayer } from "../../lib/models/parts/kernel-layers.ts";
import { peerAt, quiet, smallNetwork, stream } from "./support.ts";

/** What NumPy comes to: written by peers/pruning.py. */
const { peer, layer } = peerAt(new URL("./peers/pruning.json", import.meta.url));

describe("a layer, beside NumPy", () => {
  const one = <O>(
    rule: { readonly defaults: object; readonly how: { layer?(layer: KernelLayer, options: O): Float64Array } },
    options: object,
  ) => rule.how.layer!(layer, { ...rule.defaults, ...options } as O);
  test.each([
    ["wanda", () => one(prune.wanda, {})],
    ["wanda24", () => one(prune.wanda, { pattern: "2:4" })],
    ["sparseGpt", () => one(prune.sparseGpt, {})],
    ["sparseGpt24", () => one(prune.sparseGpt, { pattern: "2:4" })],
    ["admm", () => one(prune.admm, {})],
    ["dsnot", () => one(prune.dsnot, {})],
  ])("%s", (name, found) => {
    const wanted = peer.found[name]!;
    found().forEach((w, i) => {
      expect(w).toBeCloseTo(wanted[i]!, 6);
    });
  });

  test("ADMM goes to the least squares of the numbers that stay", () => {
    const found = one(prune.admm, { steps: 4000 });
    peer.found.admmAtLast!.forEach((w, i) => {
      expect(found[i]).toBeCloseTo(w, 4);
    });
  });

  test("what a rule is worth: the layer's error falls from magnitude to Wanda to rules that move the other numbers", () => {
    const error = (after: Float64Array): number => {
      let [off, whole] = [0, 0];
      for (let row = 0; row < peer.X.length / peer.inputs; row++)
        for (let unit = 0; unit < peer.units; unit++) {
          let [d, y] = [0, 0];
          for (let i = 0; i < peer.inputs; i++) {
            const [x, w] = [peer.X[row * peer.inputs + i]!, peer.W[i * peer.units + unit]!];
            d += x * (w - after[i * peer.units + unit]!);
            y += x * w;
          }
          off += d * d;
          whole += y * y;
        }
      return off / whole;
    };
    const [wanda, sparse, admm] = [prune.wanda, prune.sparseGpt, prune.admm].map((rule) =>
      error(one(rule as never, {})),
    );
    expect(sparse).toBeLessThan(wanda!);
    expect(admm).toBeLessThan(wanda!);
  });
});

describe("networks", () => {
  let big: TrainedNetwork;
  const data = stream.test(0).examples;
  beforeAll(async () => {
    big = await smallNetwork();
  });
  const zeros = (own: TrainedNetwork): Map<string, boolean[]> =>
    new Map(paths(own.weights as unknown as Tree).map(([path, w]) => [path, [...w.dataSync()].map((x) => x === 0)]));

  test.each(["magnitude", "wanda", "sparseGpt", "dsnot", "admm"] as const)(
    "%s prunes convolutions and products, and says what that saves",
    (name) => {
      const rule = prune[name] as typeof prune.wanda;
      const { network: small, report } = rule(big, data, { sparsity: 0.8, samples: 32 });
      expect(report.sparsity).toBeGreaterThan(0.78);
      expect(report.sparsity).toBeLessThan(0.81);
      expect(report.layers.map(({ path }) => path)).toEqual(["model/1-conv", "model/5-dense"]);
      expect(report.error).toBeGreaterThan(0);
      expect(report.error).toBeLessThan(0.9);
      expect(report.accuracy!.before).toBeGreaterThan(0.7);
      expect(report.flops.after).toBeLessThan(0.7 * report.flops.before);
      const nonzero = [...zeros(small).values()].flat().filter((zero) => !zero).length;
      expect(nonzero).toBe(report.parameters.after);
      small.dispose();
    },
  );

  test("a share of the whole network takes what is smallest anywhere", () => {
    const { network: small, report } = prune.magnitude(big, { sparsity: 0.5 });
    const all = paths(big.weights.model as Tree).flatMap(([path, w]) =>
      path.endsWith("kernel") ? [...w.dataSync()] : [],
    );
    const sorted = all.map(Math.abs).sort((a, b) => a - b);
    const bound = sorted[Math.floor(all.length / 2) - 1]!;
    const left = paths(small.weights.model as Tree).flatMap(([path, w]) =>
      path.endsWith("kernel") ? [...w.dataSync()] : [],
    );
    left.forEach((w, i) => {
      expect(w).toBe(Math.abs(all[i]!) <= bound ? 0 : all[i]);
    });
    expect(report.error).toBeUndefined();
    small.dispose();
  });

  test("a pattern holds in each group, and of a group that the layer cuts off the same share", () => {
    const { network: small } = prune.wanda(big, data, { pattern: "2:4" });
    const kernel = small.weights.model["1-conv"] as { readonly kernel: tf.Tensor };
    const numbers = kernel.kernel.dataSync();
    for (let unit = 0; unit < 4; unit++)
      expect(
        [0, 4, 8].map(
          (from) =>
            Array.from({ length: Math.min(4, 9 - from) }, (_, i) => numbers[(from + i) * 4 + unit] !== 0).filter(
              Boolean,
            ).length,
        ),
      ).toEqual([2, 2, 1]);
    small.dispose();
  });

  test("the ONNX file is as small as the report says, and ONNX Runtime gives our numbers", () => {
    const made = prune.magnitude(big, { sparsity: 0.9, within: "layer" });
    const bytes = made.toOnnx();
    const { before, after } = made.report.bytes;
    expect(big.toOnnx().length - bytes.length).toBeGreaterThan(0.97 * (before - after) - 300);
    expect(bytes.length).toBeLessThan(after + 3000);
    const x = tf.randomUniform([3, ...big.input], 0, 1, "float32", 1);
    const [wanted, [found]] = [made.network.predict(x), importOnnx(bytes)(x)];
    found!.dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.dataSync()[i]!, 5);
    });
    tf.dispose([x, wanted, found!]);
    made.network.dispose();
  });

  test("zeros stay through further training, or they alone are trained", async () => {
    const small = prune.magnitude(big, { sparsity: 0.7 }).network;
    const next = stream.slice(1, 2);
    const before = zeros(small);
    const on = await (await next.learn(from(small)).by(keepZeros()).train({ epochs: 1 }).run(quiet)).network();
    const after = zeros(on);
    const kernels = ["model/1-conv/kernel", "model/5-dense/kernel"];
    for (const path of kernels) expect(after.get(path)).toEqual(before.get(path));
    const numbers = (own: TrainedNetwork, path: string) => [
      ...new Map(paths(own.weights as unknown as Tree)).get(path)!.dataSync(),
    ];
    for (const path of kernels) expect(numbers(on, path)).not.toEqual(numbers(small, path));
    const freed = await (
      await next
        .learn(from(small))
        .by(keepZeros({ train: "zeros" }))
        .train({ epochs: 1 })
        .run(quiet)
    ).network();
    for (const path of kernels) {
      const [was, now] = [numbers(small, path), numbers(freed, path)];
      was.forEach((w, i) => {
        if (w !== 0) expect(now[i]).toBe(w);
      });
      expect(now.filter((w) => w === 0).length).toBeLessThan(was.filter((w) => w === 0).length);
    }
    expect(numbers(freed, "model/5-dense/bias")).toEqual(numbers(small, "model/5-dense/bias"));
    for (const own of [small, on, freed]) own.dispose();
  });

  test("the network that is given stays as it is, and nothing is left behind", () => {
    const { checksum } = big;
    prune.sparseGpt(big, data).network.dispose();
    const before = tf.memory().numTensors;
    prune.sparseGpt(big, data).network.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(trained(big.parts).checksum).toBe(checksum);
  });

  test("says what it needs", () => {
    expect(() => (prune.wanda as unknown as (n: TrainedNetwork) => void)(big)).toThrow(
      "prune.wanda: a table of examples is required, got none",
    );
    expect(() => prune.wanda(big, data, { pattern: "two of four" })).toThrow(
      'prune.wanda: a pattern as "2:4" is required',
    );
    expect(() => prune.magnitude(big, { sparsity: 2 })).toThrow(
      "prune.magnitude: sparsity must be a share in [0, 1], got 2",
    );
    expect(() => prune.dsnot(big, data, { pattern: "2:4" })).toThrow("prune.dsnot: a share is required");
  });
});

describe("random numbers", () => {
  test("of a network that was never trained are pruned too", () => {
    const model = mlp({ hidden: [8] });
    const big = trained({ model, input: [4], weights: network(model, [4]).init(random(0), 3) });
    const { train } = blobs({ classes: 3, dimensions: 4 });
    expect(prune.wanda(big, train, { filter: "head" }).report.layers.map(({ path }) => path)).toEqual(["head"]);
  });
});

import { clients, digits, mlp, random, sgd, simulate } from "thalweg";
import { describe, expect, test } from "vitest";
import { withFeedback } from "../../lib/simulate/codec.ts";
import { kMeans } from "../../lib/simulate/fed-zip.ts";
import { fewestBytes } from "../../lib/simulate/l-greco.ts";
import { countsOf, decodeBits, encodeBits, huffman } from "../../lib/simulate/parts/huffman.ts";
import { minus, squared } from "../../lib/simulate/parts/vectors.ts";

const rng = random(5);
const layers = [
  { from: 0, size: 200, shape: [20, 10] },
  { from: 200, size: 10, shape: [10] },
];
const drawn = (k: number): Float32Array => rng.at("vector", k).fillNormal(new Float32Array(210));
const all = [
  simulate.topK({ share: 0.1 }),
  simulate.quantised({ bits: 5 }),
  simulate.lowRank({ rank: 2 }),
  simulate.lGreco({ method: "topK", level: 0.1, every: 3 }),
  simulate.lGreco({ method: "quantised", level: 4, every: 3 }),
  simulate.lGreco({ method: "lowRank", level: 2, every: 3 }),
  simulate.fedZip({ keep: 0.2 }),
  simulate.fedZip({ keep: 0.2, places: "all" }),
];

describe("codecs", () => {
  test.each(all.map((codec) => [JSON.stringify(codec), codec] as const))(
    "%s sends fewer bytes, and with feedback all that it was given in the end",
    (_, codec) => {
      const code = withFeedback(codec, layers, rng.at("codec"));
      const [given, sent] = [new Float32Array(210), new Float32Array(210)];
      const same = drawn(0);
      for (let k = 0; k < 60; k++) {
        const { vector, bytes } = code(same);
        expect(bytes).toBeLessThan(4 * 210);
        for (let i = 0; i < 210; i++) {
          given[i]! += same[i]!;
          sent[i]! += vector[i]!;
        }
      }
      // what is left is a bounded remainder: the mean that came out is the mean that went in
      expect(squared(minus(given, sent)) / squared(given)).toBeLessThan(0.05);
    },
  );

  test("QSGD is right in the mean, and within a level of each number", () => {
    const code = simulate.quantised({ bits: 4 }).coder([], rng.at("qsgd"));
    const vector = Float32Array.of(0.3, -0.4, 1.2, 0);
    const level = Math.sqrt(squared(vector)) / 7;
    const sum = new Float64Array(4);
    for (let k = 0; k < 4000; k++)
      for (const [i, x] of code(vector).vector.entries()) {
        expect(Math.abs(x - vector[i]!)).toBeLessThan(level);
        sum[i]! += x / 4000;
      }
    for (const [i, x] of sum.entries()) expect(Math.abs(x - vector[i]!)).toBeLessThan((4 * level) / Math.sqrt(4000));
  });

  test("a matrix of low rank comes through PowerSGD as it was, after two rounds", () => {
    const code = simulate.lowRank({ rank: 2 }).coder([{ from: 0, size: 200, shape: [20, 10] }], rng);
    const [a, b] = [drawn(1), drawn(2)];
    const matrix = Float32Array.from({ length: 200 }, (_, at) => {
      const [i, j] = [Math.floor(at / 10), at % 10];
      return a[i]! * b[j]! + a[i + 20]! * b[j + 10]!;
    });
    code(matrix);
    expect(squared(minus(matrix, code(matrix).vector)) / squared(matrix)).toBeLessThan(1e-9);
  });

  test("P154 L-GreCo: the dynamic programme finds what trying everything finds", () => {
    const draw = rng.at("choices");
    const choices = Array.from({ length: 4 }, () =>
      Array.from({ length: 3 }, (_, c) => ({ bytes: 100 * (c + 1) + draw.int(50), error: draw.uniform() / (c + 1) })),
    );
    const budget = choices.reduce((sum, each) => sum + each[1]!.error, 0);
    const picked = fewestBytes(choices, budget, 1, 100_000);
    const cost = (picks: readonly number[], what: "bytes" | "error") =>
      picks.reduce((sum, c, l) => sum + choices[l]![c]![what], 0);
    let best = Number.POSITIVE_INFINITY;
    for (let code = 0; code < 81; code++) {
      const picks = [0, 1, 2, 3].map((l) => Math.floor(code / 3 ** l) % 3);
      if (cost(picks, "error") <= budget) best = Math.min(best, cost(picks, "bytes"));
    }
    expect(cost(picked, "bytes")).toBe(best);
    expect(cost(picked, "error")).toBeLessThanOrEqual(budget * 1.0001);
  });

  test("P294 FedZip: Huffman's code is the shortest of its kind, and is read back", () => {
    const symbols = [..."abracadabra"].map((letter) => letter.charCodeAt(0));
    const codes = huffman(countsOf(symbols));
    // the worked example: a has one bit of five letters' code, 23 bits in all
    expect(codes.get(97)!.length).toBe(1);
    expect(symbols.reduce((sum, symbol) => sum + codes.get(symbol)!.length, 0)).toBe(23);
    expect(decodeBits(encodeBits(symbols, codes), symbols.length, codes)).toEqual(symbols);
    expect(kMeans([0, 0.1, 5, 5.2, 9], 3)).toEqual({ centres: [0.05, 5.1, 9], of: [0, 0, 1, 1, 2] });
    const one = simulate.fedZip({ keep: 1, clusters: 2 }).coder([], rng)(Float32Array.of(1.5, 1.5, -1, 3, -1));
    expect([...one.vector]).toEqual([2, 2, -1, 2, -1]);
  });

  test("training by coded gradients and coded updates works", async () => {
    const study = clients(digits(), { clients: 4, concentration: 100 })
      .learn(mlp({ hidden: [16] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 32 });
    const crowd = simulate.clients();
    const plain = await crowd.train(study, simulate.fedAvg({ rounds: 5 }));
    const zipped = await crowd.train(study, simulate.fedAvg({ rounds: 5, codec: simulate.fedZip() }));
    expect(zipped.accuracy).toBeGreaterThan(plain.accuracy - 0.15);
    expect(zipped.bytesByTag.update!).toBeLessThan(plain.bytesByTag.update! / 6);
    const cluster = simulate.cluster({ workers: 3 });
    const shared = await cluster.train(
      study.with(sgd({ lr: 0.3 })),
      simulate.allReduce({ codec: simulate.lGreco({ level: 0.05, every: 5 }) }),
    );
    expect(shared.accuracy).toBeGreaterThan(0.55);
  });
});

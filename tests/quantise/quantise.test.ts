import { importOnnx, paths, quantise, type TrainedNetwork, type Tree, tf } from "thalweg";
import { beforeAll, describe, expect, test } from "vitest";
import { onnxBytes } from "../../lib/engine/onnx/writer.ts";
import { type KernelLayer, outputError } from "../../lib/models/parts/kernel-layers.ts";
import { type Codes, decoded } from "../../lib/quantise/parts/codes.ts";
import { peerAt, smallNetwork, stream } from "../prune/support.ts";

/** What NumPy comes to: written by peers/quantising.py. */
const { peer, layer } = peerAt(new URL("./peers/quantising.json", import.meta.url));
const one = (rule: unknown, options: object): Codes => {
  const { defaults, how } = rule as { defaults: object; how: { layer(layer: KernelLayer, options: object): Codes } };
  return how.layer(layer, { ...defaults, ...options });
};

describe("a layer, beside NumPy", () => {
  test.each([
    ["rtn", quantise.rtn, { bits: 3 }],
    ["rtnGroup", quantise.rtn, { bits: 2, group: 4 }],
    ["rtnSymmetric", quantise.rtn, { bits: 4, symmetric: true }],
    ["gptq", quantise.gptq, { bits: 3 }],
    ["gptqGroup", quantise.gptq, { bits: 3, group: 4 }],
    ["gptqOrder", quantise.gptq, { bits: 3, order: true }],
    ["gptqOrderGroup", quantise.gptq, { bits: 3, order: true, group: 4 }],
    ["comq", quantise.comq, { bits: 3 }],
    ["comqStill", quantise.comq, { bits: 2, rounds: 2, scales: false }],
    ["awq", quantise.awq, { bits: 3 }],
  ])("%s", (name, rule, options) => {
    const found = decoded(one(rule, options));
    peer.found[name]!.forEach((w, i) => {
      expect(found[i]).toBeCloseTo(w, 4);
    });
  });

  test("COMQ's error never grows with a round, and it ends below GPTQ's and rounding's", () => {
    const error = (codes: Codes) => outputError(layer.rows(), layer.kernel, decoded(codes), layer);
    const rounds = [1, 2, 3, 4].map((count) => error(one(quantise.comq, { bits: 3, rounds: count })));
    for (let i = 1; i < rounds.length; i++) expect(rounds[i]).toBeLessThanOrEqual(rounds[i - 1]! + 1e-9);
    expect(rounds.at(-1)).toBeLessThan(error(one(quantise.gptq, { bits: 3 })));
    expect(error(one(quantise.gptq, { bits: 3 }))).toBeLessThan(error(one(quantise.rtn, { bits: 3 })));
  });
});

describe("networks", () => {
  const data = stream.test(0).examples;
  let big: TrainedNetwork;
  beforeAll(async () => {
    big = await smallNetwork();
  });

  test.each(["rtn", "gptq", "awq", "comq"] as const)(
    "%s quantises convolutions and products, and eight bits change little",
    (name) => {
      const rule = quantise[name] as typeof quantise.rtn;
      const [eight, two] = [8, 2].map((bits) => rule(big, data, { bits, samples: 32 }));
      expect(eight!.report.error).toBeLessThan(1e-3);
      expect(two!.report.error).toBeGreaterThan(eight!.report.error!);
      expect(eight!.report.layers.map(({ path }) => path)).toEqual(["model/1-conv", "model/5-dense"]);
      for (const own of [eight!, two!]) {
        for (const [path, { units }] of own.codes) {
          const kernel = new Map(paths(own.network.weights as unknown as Tree)).get(`${path}/kernel`)!.dataSync();
          const values = new Set([...kernel].flatMap((w, i) => (i % units === 0 ? [w] : [])));
          if (name !== "awq") expect(values.size).toBeLessThanOrEqual(2 ** own.report.bits);
        }
        own.network.dispose();
      }
    },
  );

  test.each([
    ["eight bits", () => quantise.rtn(big, data, { bits: 8 })],
    ["four bits in groups", () => quantise.gptq(big, data, { bits: 4, group: 32 })],
    ["four bits in groups that do not divide", () => quantise.rtn(big, data, { bits: 4, group: 36 })],
    ["multiplied inputs", () => quantise.awq(big, data, { bits: 3, samples: 32, tried: 5 })],
  ])("the ONNX file with whole numbers of %s is as small as the report says, and gives our numbers", (_, make) => {
    const made = make();
    const bytes = made.toOnnx();
    const { before, after } = made.report.bytes;
    const nibbles = made.report.bits === 3 ? 8 / 6 : 1; // three bits are stored as four
    expect(bytes.length - (big.toOnnx().length - before)).toBeLessThan(nibbles * after + 1200);
    const x = tf.randomUniform([3, ...big.input], 0, 1, "float32", 1);
    const [wanted, [found]] = [made.network.predict(x), importOnnx(bytes)(x)];
    found!.dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(wanted.dataSync()[i]!, 5);
    });
    tf.dispose([x, wanted, found!]);
    made.network.dispose();
  });

  test("products of whole numbers, as ONNX Runtime's MatMulInteger does them, are the simulated ones", () => {
    const made = quantise.rtn(big, { bits: 8, filter: "5-dense" });
    const { codes, scale, zero, inputs, units } = made.codes.get("model/5-dense")!;
    const x = Uint8Array.from({ length: 2 * inputs }, (_, i) => (i * 37) % 256);
    const bytes = onnxBytes({
      name: "integers",
      nodes: [
        { op: "Cast", name: "c", inputs: ["x"], outputs: ["bytes"], attributes: { to: 2 } },
        { op: "MatMulInteger", name: "m", inputs: ["bytes", "w", "xz", "wz"], outputs: ["y"] },
      ],
      inputs: [{ name: "x", type: "int32", shape: [2, inputs] }],
      outputs: [{ name: "y", type: "int32", shape: [2, units] }],
      initializers: [
        { name: "w", type: "uint8", shape: [inputs, units], data: codes },
        { name: "xz", type: "uint8", shape: [], data: Uint8Array.of(3) },
        { name: "wz", type: "uint8", shape: [units], data: zero },
      ],
    });
    const given = tf.tensor2d(Int32Array.from(x), [2, inputs], "int32");
    const [y] = importOnnx(bytes)(given);
    const whole = y!.dataSync();
    const kernel = (made.network.weights.model["5-dense"] as { readonly kernel: tf.Tensor2D }).kernel;
    const simulated = tf.tidy(() => tf.matMul(tf.sub(tf.cast(given, "float32"), 3), kernel)).dataSync();
    whole.forEach((value, i) => {
      const wanted = simulated[i]!;
      expect(Math.abs(value * scale[i % units]! - wanted)).toBeLessThan(1e-4 * Math.max(1, Math.abs(wanted)));
    });
    tf.dispose([given, y!]);
    made.network.dispose();
  });

  test("nothing is left behind, and it says what it needs", () => {
    quantise.gptq(big, data).network.dispose();
    const before = tf.memory().numTensors;
    quantise.gptq(big, data).network.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(() => quantise.rtn(big, { bits: 9 })).toThrow("quantise.rtn: bits must be from 1 to 8, got 9");
    expect(() => quantise.comq(big, data, { group: 4 })).toThrow("quantise.comq: a group of 0");
  });
});

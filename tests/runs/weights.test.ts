import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { huggingFace, loadWeights, type Model, mlp, net, random, saveNetwork, tf, trained } from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import type { HostArray } from "../../lib/models/parts/host.ts";
import { onnxTensors } from "../../lib/models/parts/onnx-tensors.ts";
import { readSafetensors, writeSafetensors } from "../../lib/models/parts/safetensors.ts";
import { temporary } from "./support.ts";

const peers = new URL("../models/peers/", import.meta.url).pathname;
const { folder, clear } = temporary();
afterAll(clear);

describe("weights in an ONNX file", () => {
  const file = `${peers}tiny.onnx`;

  test("are read in every form that the format has", () => {
    const read = onnxTensors(readFileSync(file), file);
    const values = (name: string) => [read.get(name)!.shape, [...read.get(name)!.data]];
    const floats = (...list: number[]) => list.map(Math.fround);
    expect([...read.keys()].length).toBe(10);
    expect(values("fc.weight")).toEqual([[3, 2], floats(0.5, -1.25, 3, 1e-8, 2, 7)]);
    expect(values("fc.bias")).toEqual([[3], floats(0.1, 0.2, -0.3)]);
    expect(values("raw.long")).toEqual([[2], [-3, 9]]);
    expect(values("listed.long")).toEqual([[2], [-1, 300]]);
    expect(values("listed.int")).toEqual([[3], [-1, 0, 2 ** 31 - 1]]);
    expect(values("listed.half")).toEqual([[2], [1.5, -2]]);
    expect(values("raw.half")).toEqual([[2], [1.5, -2]]);
    expect(values("listed.double")).toEqual([[2], floats(0.1, -1e30)]);
    expect(values("raw.flag")).toEqual([[2], [1, 0]]);
    expect(values("scalar")).toEqual([[], [2.5]]);
  });

  test("go into a model by name, turned as the names say", () => {
    const names = [
      { from: "fc.weight", to: "head/kernel", turn: [1, 0] },
      { from: "fc.bias", to: "head/bias" },
    ];
    const { network, table } = loadWeights(net() as Model, file, { input: [2], names });
    const [logits] = network.predict(tf.tensor2d([[1, 10]])).arraySync() as number[][];
    // weights [[0.5, -1.25], [3, 1e-8], [2, 7]] and biases [0.1, 0.2, -0.3] by hand
    for (const [i, want] of [0.5 - 12.5 + 0.1, 3 + 1e-7 + 0.2, 2 + 70 - 0.3].entries())
      expect(logits![i]).toBeCloseTo(want, 4);
    const rows = table.rows();
    expect(rows.slice(0, 2).map((row) => [row.tensor, row["name in the file"], row.outcome, row.got])).toEqual([
      ["head/kernel", "fc.weight", "matched", "[2,3]"],
      ["head/bias", "fc.bias", "matched", "[3]"],
    ]);
    expect(rows.slice(2).map(({ outcome }) => outcome)).toEqual(new Array(8).fill("unexpected"));
  });

  test("that is cut short or something else is told in a sentence", () => {
    const whole = readFileSync(file);
    for (let length = 0; length < whole.length - 70; length++)
      expect(() => onnxTensors(whole.subarray(0, length), "x.onnx"), `${length} bytes`).toThrow(/^onnx: /);
    expect(() => onnxTensors(new TextEncoder().encode("no protocol buffer"), "x.onnx")).toThrow(/^onnx: /);
  });
});

/** All numbers of a tree of tensors, in its order. */
function flat(node: object): number[] {
  return node instanceof tf.Tensor ? [...node.dataSync()] : Object.values(node).flatMap((each) => flat(each));
}

describe("weights of others", () => {
  const mine = mlp({ hidden: [3] }) as Model;
  const weights = { model: mine.init(random(3), [2]), head: { kernel: tf.ones([3, 4]), bias: tf.zeros([4]) } };
  const network = trained({ model: mine, input: [2], weights });

  /** The network's file with some tensors changed. */
  function changed(change: (all: [string, HostArray][]) => [string, HostArray][]): string {
    const at = `${folder}/${Math.random().toString(36).slice(2)}`;
    saveNetwork(network, at);
    const [name] = [`weights-${network.checksum}.safetensors`];
    const { tensors } = readSafetensors(`${at}/${name}`);
    writeFileSync(`${at}/other.safetensors`, writeSafetensors(new Map(change([...tensors]))));
    return `${at}/other.safetensors`;
  }

  test("go where their own names say, and the head has the columns that it has in the file", () => {
    const { network: again, table } = loadWeights(
      mine,
      changed((all) => all),
      { input: [2] },
    );
    expect(again.checksum).toBe(network.checksum);
    expect(again.columns()).toEqual([0, 1, 2, 3]);
    expect(new Set(table.rows().map(({ outcome }) => outcome))).toEqual(new Set(["matched"]));
  });

  test("that are missing, differ in shape or are too many are named, and only a head may be drawn unasked", () => {
    const headless = changed((all) => all.filter(([name]) => !name.includes("head")));
    expect(() => loadWeights(mine, headless, { input: [2] })).toThrow(
      /^loadWeights: the names of the classes are required where the file has no head, got none for /,
    );
    const { network: drawn, table } = loadWeights(mine, headless, { input: [2], classes: ["a", "b"] });
    expect(drawn.predict(tf.zeros([1, 2])).shape).toEqual([1, 2]);
    expect(
      table
        .rows()
        .filter(({ outcome }) => outcome === "missing")
        .map(({ tensor }) => tensor),
    ).toEqual(["head/kernel", "head/bias"]);
    expect(flat(drawn.weights.model)).toEqual(flat(weights.model));
    const odd = changed((all) =>
      all.flatMap(([name, array]): [string, HostArray][] =>
        name.endsWith("2-dense.bias") ? [] : [[name.replace("2-dense.kernel", "2-dense.weights"), array]],
      ),
    );
    expect(() => loadWeights(mine, odd, { input: [2] })).toThrow(
      /all tensors of the model are required in their shapes, got 2 in .* that are missing or differ: model\/2-dense\/kernel; model\/2-dense\/bias; give the model its options, or \{ partial: true \}/,
    );
    expect(() =>
      loadWeights(
        mlp({ hidden: [5] }) as Model,
        changed((all) => all),
        { input: [2] },
      ),
    ).toThrow(/model\/2-dense\/kernel \[2,5\], got \[2,3\]/);
    const some = loadWeights(
      mlp({ hidden: [5] }) as Model,
      changed((all) => all),
      { input: [2], partial: true },
    );
    expect(some.table.rows().map(({ outcome }) => outcome)).toEqual([
      "shape differs",
      "shape differs",
      "shape differs",
      "matched",
    ]);
    expect(() => loadWeights(net().dense(2) as Model, `${peers}tiny.onnx`, { input: [2], classes: ["a"] })).toThrow(
      /^loadWeights: names of tensors that the network has are required, got fc.weight; .* and 4 more in /,
    );
  });

  test("are looked for in a folder, in the files of an index too, and what is no such file is told what to do", () => {
    const at = `${folder}/shards`;
    mkdirSync(at);
    const all = [...readSafetensors(changed((each) => each)).tensors];
    writeFileSync(`${at}/model-1.safetensors`, writeSafetensors(new Map(all.slice(0, 2))));
    writeFileSync(`${at}/model-2.safetensors`, writeSafetensors(new Map(all.slice(2))));
    expect(() => loadWeights(mine, at, { input: [2] })).toThrow(
      /one safetensors or ONNX file is required, got .* with model-1.safetensors, model-2.safetensors; name the file/,
    );
    const map = Object.fromEntries(all.map(([name], i) => [name, `model-${i < 2 ? 1 : 2}.safetensors`]));
    writeFileSync(`${at}/model.safetensors.index.json`, JSON.stringify({ weight_map: map }));
    expect(loadWeights(mine, at, { input: [2] }).network.checksum).toBe(network.checksum);
    const pickled = `${folder}/pickled`;
    mkdirSync(pickled);
    writeFileSync(`${pickled}/pytorch_model.bin`, "PK");
    expect(() => loadWeights(mine, pickled, { input: [2] })).toThrow(
      /got .* with none; save the weights as safetensors/,
    );
    expect(() => loadWeights(mine, `${pickled}/pytorch_model.bin`, { input: [2] })).toThrow(
      /safetensors.torch.save_file/,
    );
    expect(() => loadWeights(mine, `${folder}/nowhere`, { input: [2] })).toThrow(/which is not there/);
  });
});

describe("a folder of Hugging Face's transformers", () => {
  const want = JSON.parse(readFileSync(`${peers}hugging-face.json`, "utf8"));
  const largest = (a: tf.Tensor, b: readonly number[]) => {
    expect(a.size).toBe(b.length);
    return (a.dataSync() as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
  };

  test("gives a vision transformer whose logits are those of transformers, and the names of its classes", () => {
    const { numTensors } = tf.memory();
    const { network, table } = huggingFace(`${peers}vit-tiny`);
    expect(network.classes).toEqual(["ant", "bee", "cat"]);
    expect(network.input).toEqual([8, 8, 2]);
    expect(new Set(table.rows().map(({ outcome }) => outcome))).toEqual(new Set(["matched"]));
    const x = tf.tensor(want.vit.x, [3, 8, 8, 2]);
    expect(
      largest(
        tf.tidy(() => network.predict(x)),
        want.vit.logits,
      ),
    ).toBeLessThan(1e-5);
    network.dispose();
    x.dispose();
    expect(tf.memory().numTensors).toBeLessThanOrEqual(numTensors + 1);
  });

  test("that has no head gives the same features, and a head that is drawn", () => {
    const { network, table } = huggingFace(`${peers}vit-bare-tiny`, { classes: ["a", "b"] });
    const x = tf.tensor(want.vit.x, [3, 8, 8, 2]);
    expect(largest(network.features(x), want.vitBare.features)).toBeLessThan(1e-5);
    const missing = table.rows().filter(({ outcome }) => outcome !== "matched");
    expect(missing.map(({ tensor, outcome }) => [tensor, outcome])).toEqual([
      ["head/kernel", "missing"],
      ["head/bias", "missing"],
    ]);
  });

  test("gives a language model whose logits are those of transformers, with the head of its tokens", () => {
    const { network } = huggingFace(`${peers}gpt2-tiny`);
    expect(network.input).toEqual([8]);
    const logits = network.predict(tf.tensor2d(want.gpt2.tokens, [2, 8]));
    expect(logits.shape).toEqual([2, 8, 13]);
    expect(largest(logits, want.gpt2.logits)).toBeLessThan(1e-5);
  });

  test("of another kind, or with another activation, is refused in a sentence", () => {
    const at = `${folder}/other`;
    mkdirSync(at);
    expect(() => huggingFace(at)).toThrow(/^huggingFace: a folder with a config.json is required, got /);
    const config = JSON.parse(readFileSync(`${peers}vit-tiny/config.json`, "utf8"));
    const written = (more: object) => writeFileSync(`${at}/config.json`, JSON.stringify({ ...config, ...more }));
    copyFileSync(`${peers}vit-tiny/model.safetensors`, `${at}/model.safetensors`);
    written({ model_type: "bert" });
    expect(() => huggingFace(at)).toThrow(/^huggingFace: a model of vit, gpt2, convnext is required, got "bert"/);
    written({ hidden_act: "relu" });
    expect(() => huggingFace(at)).toThrow(/^huggingFace: hidden_act "gelu" is required, got "relu"/);
    written({ num_hidden_layers: 3 });
    expect(() => huggingFace(at)).toThrow(/all tensors of the model are required in their shapes, got 16 in /);
  });
});

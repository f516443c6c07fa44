import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import {
  classes,
  cnn,
  digits,
  ewc,
  from,
  headed,
  icarl,
  layer,
  loadNetwork,
  type Model,
  mlp,
  net,
  normalized,
  packnet,
  random,
  resnet18,
  type Study,
  saveNetwork,
  sequential,
  slda,
  specFromJson,
  specHash,
  specJson,
  strategy,
  type TrainedNetwork,
  tf,
  trained,
} from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../lib/models/parts/safetensors.ts";
import { temporary } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);
let folders = 0;
const place = () => `${folder}/${folders++}`;
const quiet = { quiet: true, record: false } as const;
const images = () => classes(digits()).split(5).slice(0, 2);
const learnt = async (study: Study) => (await study.train({ batch: 32 }).run(quiet)).network();

/** The network saved and loaded, in which every number and every prediction is the same to the last bit. */
function again(network: TrainedNetwork): TrainedNetwork {
  const at = place();
  saveNetwork(network, at);
  const loaded = loadNetwork(at);
  expect(loaded.checksum).toBe(network.checksum);
  expect(loaded.toJSON()).toEqual({ network: network.checksum, file: at });
  const x = random(1).uniforms([3, ...network.input]);
  const { tasks = [[]] } = network.parts;
  for (const task of [0, 1].slice(0, (tasks as number[][]).length)) {
    expect(loaded.columns({ task })).toEqual(network.columns({ task }));
    expect([...loaded.predict(x, { task }).dataSync()]).toEqual([...network.predict(x, { task }).dataSync()]);
  }
  expect(loaded.summary()).toEqual(network.summary());
  expect([loaded.classes, loaded.scale, loaded.bytes]).toEqual([network.classes, network.scale, network.bytes]);
  return loaded;
}

describe("a network that is saved and loaded", () => {
  const studies: [string, () => Study][] = [
    [
      "a perceptron",
      () =>
        images()
          .learn(mlp({ hidden: [16] }))
          .by(ewc()),
    ],
    ["a residual network with running statistics", () => images().learn(resnet18({ filters: 2 }))],
    [
      "a head for each task",
      () =>
        images()
          .scenario("task")
          .learn(cnn({ filters: [2], units: 4 })),
    ],
    [
      "a head that grew, in the order of its classes",
      () =>
        classes(digits())
          .split(5)
          .order([4, 1, 0, 2, 3])
          .slice(0, 2)
          .scenario("class", { head: "growing" })
          .learn(net().conv(2, 3).flatten()),
    ],
    ["a head of its own", () => images().learn(headed(mlp({ hidden: [4] }), normalized({ length: 0.5 })))],
    [
      "exemplars that predict",
      () =>
        images()
          .learn(mlp({ hidden: [8] }))
          .by(icarl()),
    ],
    [
      "a covariance that predicts",
      () =>
        images()
          .learn(mlp({ hidden: [8] }))
          .by(slda()),
    ],
    [
      "masks for each task",
      () =>
        images()
          .scenario("task")
          .learn(mlp({ hidden: [8] }))
          .by(packnet()),
    ],
  ];
  test.each(studies)("is the same with %s", async (_, make) => {
    const network = await learnt(make());
    const loaded = again(network);
    expect(again(loaded).checksum).toBe(network.checksum);
  });

  test("is where a study begins, which its JSON finds in the folder, and whose fingerprint does not ask where that is", async () => {
    const big = await learnt(images().learn(mlp({ hidden: [8] })));
    const at = place();
    saveNetwork(big, at);
    const study = images().learn(from(loadNetwork(at)));
    expect(study.hash).toBe(images().learn(from(big)).hash);
    const json = JSON.parse(JSON.stringify(specJson(study.spec)));
    expect(json.model.from).toEqual({ network: big.checksum, head: "new", file: at });
    const { numTensors } = tf.memory();
    expect(specHash(specFromJson(json, [digits()]))).toBe(study.hash);
    expect(tf.memory().numTensors).toBe(numTensors);
    saveNetwork(big.with({ weights: { ...big.weights, model: mlp({ hidden: [8] }).init(random(5), [8, 8, 1]) } }), at);
    expect(() => specFromJson(json, [digits()])).toThrow(
      `got none, and there is no such network in ${at}; give it in the list of networks`,
    );
    rmSync(at, { recursive: true });
    expect(() => specFromJson(json, [digits()])).toThrow(/^specFromJson: the network with checksum/);
  });

  test("replaces the one that was in the folder, and leaves it whole when it is stopped in the middle", async () => {
    const weights = (value: number) => ({
      model: {},
      head: { kernel: tf.fill([2, 2], value), bias: tf.zeros([2]) },
    });
    const made = (value: number) => trained({ model: net(), input: [2], weights: weights(value) });
    const at = place();
    saveNetwork(made(1), at);
    mkdirSync(`${at}/network.json.${process.pid}.part`); // the second file cannot be written
    expect(() => saveNetwork(made(2), at)).toThrow(/^saveNetwork: a folder that can be written to is required, got /);
    expect(loadNetwork(at).checksum).toBe(made(1).checksum);
    rmSync(`${at}/network.json.${process.pid}.part`, { recursive: true, force: true });
    saveNetwork(made(2), at);
    expect(loadNetwork(at).checksum).toBe(made(2).checksum);
    expect(readdirSync(at).sort()).toEqual(["network.json", `weights-${made(2).checksum}.safetensors`]);
  });

  test("says what is wrong when a file is missing, cut short, of another shape, or has other numbers", async () => {
    const at = place();
    expect(() => loadNetwork(at)).toThrow(
      `loadNetwork: a folder that saveNetwork wrote is required, got ${at}, which has no network.json`,
    );
    saveNetwork(await learnt(images().learn(mlp({ hidden: [4] }))), at);
    const name = readdirSync(at).find((each) => each.endsWith(".safetensors"))!;
    const file = `${at}/${name}`;
    const whole = readFileSync(file);
    const { tensors } = readSafetensors(file);
    const saved = (change: (all: typeof tensors) => [string, unknown][]) =>
      writeFileSync(file, writeSafetensors(new Map(change(tensors)) as typeof tensors));
    saved((all) => [...all].slice(1));
    expect(() => loadNetwork(at)).toThrow(/^loadNetwork: the tensor weights.head.bias is required, got none in /);
    saved((all) => [...all].map(([key, one]) => [key, { ...one, shape: [one.data.length, 1] }]));
    expect(() => loadNetwork(at)).toThrow(/^loadNetwork: .* of shape \[.*\] is required, got \[.*\] in /);
    saved((all) => [...all].map(([key, one]) => [key, { ...one, data: one.data.map((value) => value + 1) }]));
    expect(() => loadNetwork(at)).toThrow(/^loadNetwork: numbers with checksum .* the file is damaged/);
    writeFileSync(file, whole);
    truncateSync(file, whole.length - 4);
    expect(() => loadNetwork(at)).toThrow(/is cut short/);
    rmSync(file);
    expect(() => loadNetwork(at)).toThrow(`the file ${name} is required beside network.json, got none`);
    writeFileSync(`${at}/network.json`, "{");
    expect(() => loadNetwork(at)).toThrow(/network.json that is JSON is required/);
  });

  test("is given the parts that are not the library's own", async () => {
    const twice = layer("twice", { accepts: ["vector"], gives: "vector" }, () => ({
      options: {},
      shape: (input) => input,
      apply: (x) => tf.mul(x, 2),
    }));
    const louder = strategy("louder", { by: 3 }, ({ by }) => ({
      predict: (_state, { logits }) => tf.mul(logits, by),
    }));
    const model = sequential<"vector">("mine", {}, [twice()]);
    const flat = images().features((batch: Float32Array) => batch.slice());
    const network = await learnt(flat.learn(model as Model).by(louder()));
    const at = place();
    saveNetwork(network, at);
    expect(() => loadNetwork(at)).toThrow('a model of the library is required, got "mine"');
    expect(() => loadNetwork(at, { model })).toThrow('a strategy of the library is required, got "louder"');
    expect(() => loadNetwork(at, { model: mlp() })).toThrow(
      /^loadNetwork: the model .* is required, got .*; give the one/,
    );
    const x = random(2).uniforms([2, 64]);
    const loaded = loadNetwork(at, { model, strategies: [louder()] });
    expect([...loaded.predict(x).dataSync()]).toEqual([...network.predict(x).dataSync()]);
  });
});

import { readFileSync } from "node:fs";
import {
  blobs,
  classes,
  cnn,
  digits,
  ewc,
  experience,
  fromArrays,
  icarl,
  importOnnx,
  type Model,
  mlp,
  modelFiles,
  naive,
  net,
  packnet,
  type Run,
  random,
  resnet18,
  runFromJson,
  type Stream,
  type Study,
  slda,
  type TrainedNetwork,
  task,
  tf,
  tfLayers,
  trainedNetwork,
} from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { small, temporary } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);
let files = 0;
const quiet = { quiet: true, record: false } as const;

/** The largest difference between two tensors, as a share of the largest number. */
function apart(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [a.dataSync() as Float32Array, b.dataSync() as Float32Array];
  const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeGreaterThan(0.01);
  return x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0) / largest;
}

/** The test examples of a task as a tensor, their labels, and the task's accuracy at the end of the run as the run measured it. */
function measured(run: Run, stream: Stream, on: number) {
  const { examples } = stream.seeded(run.logs[0]!.seed).test(on);
  const all = Uint32Array.from({ length: examples.length }, (_, i) => i);
  const x = tf.tensor(gather(examples, all), [examples.length, ...examples.shape]);
  const last = run.logs[0]!.events.findLast((event) => event.type === "evaluated" && event.on === on);
  return { x, labels: examples.labels, accuracy: last?.type === "evaluated" ? last.accuracy : Number.NaN };
}

function accuracy(logits: tf.Tensor, columns: readonly number[], labels: Int32Array): number {
  const best = tf.argMax(logits, -1).dataSync();
  return labels.reduce((right, label, i) => right + (columns[best[i]!] === label ? 1 : 0), 0) / labels.length;
}

/** What TensorFlow.js computes by itself, without the engine. */
function plain(body: () => tf.Tensor[]): tf.Tensor[] {
  void tf.setBackend("cpu");
  try {
    return body().map((y) => tf.tensor(y.dataSync(), y.shape));
  } finally {
    void tf.setBackend("thalweg");
  }
}

/** The network saved and loaded: as ONNX on the engine, as a tfjs model on tfjs-cpu. */
async function loaded(network: TrainedNetwork, options?: { task: number }) {
  const at = `${folder}/${files++}`;
  network.saveOnnx(`${at}/network.onnx`, options);
  await network.saveTfjs(at, options);
  const onnx = importOnnx(readFileSync(`${at}/network.onnx`));
  const layers = await tfLayers.loadLayersModel(modelFiles(at));
  return {
    onnx: (x: tf.Tensor) => onnx(x),
    layers: (x: tf.Tensor) => plain(() => [layers.predict(x)].flat() as tf.Tensor[]),
  };
}

const images = () => classes(digits()).split(5).slice(0, 2);
const studies: [string, () => Study][] = [
  ["perceptron", () => images().learn(mlp({ hidden: [16] }))],
  ["convolutional network", () => images().learn(cnn({ filters: [4, 6], units: 12 }))],
  ["residual network with batch norm", () => images().learn(resnet18({ filters: 4 }))],
  [
    "network of every layer that tf.layers has",
    () =>
      images().learn(
        net()
          .normalise(0.3, 0.4)
          .conv(4, 3, { stride: 2, pad: "valid", bias: false })
          .layerNorm()
          .normalise([0, 0.1, -0.1, 0.2], 0.7)
          .tanh()
          .pool(2, { stride: 1, keep: "mean" })
          .dropout(0.1)
          .flatten()
          .dense(9, { bias: false })
          .batchNorm()
          .relu(),
      ),
  ],
  [
    "graph of skips, branches and shared layers",
    () =>
      images().learn(
        net()
          .conv(4, 3)
          .tap("early")
          .residual((n) => n.conv(4, 3).batchNorm().relu())
          .branch([(n) => n.conv(2, 1), (n) => n.conv(4, 3).relu().read("early", { join: "add" })])
          .residual((n) => n.conv(3, 3), { skip: (n) => n.conv(3, 1) })
          .pool(4)
          .flatten()
          .dense(9)
          .shared(2, (n) => n.dense(9).tanh())
          .through(mlp({ hidden: [8] })),
      ),
  ],
];

describe("the network of a run", () => {
  test.each(studies)(
    "that trained a %s is as good as the run says, as it is, as ONNX and as a tfjs model",
    async (_, make) => {
      const study = make().train({ batch: 16 });
      const run = await study.run({ ...quiet, seeds: [3] });
      const network = await run.network();
      const { x, labels, accuracy: told } = measured(run, study.spec.stream, 1);
      const want = network.predict(x);
      expect(accuracy(want, network.columns(), labels)).toBeCloseTo(told, 6);
      const { numTensors } = tf.memory();
      network.toOnnx();
      await network.saveTfjs(`${folder}/again`);
      expect(tf.memory().numTensors).toBe(numTensors);
      const { onnx, layers } = await loaded(network);
      for (const predict of [onnx, layers]) {
        expect(apart(want, predict(x)[0]!)).toBeLessThan(1e-5);
        for (const rows of [1, 7]) {
          const part = x.slice([0], [rows]);
          expect(apart(network.predict(part), predict(part)[0]!)).toBeLessThan(1e-5);
        }
      }
      network.dispose();
    },
  );

  test("with a head for each task is saved with one output for each, or with that of a task", async () => {
    const stream = images().scenario("task");
    const run = await stream.learn(mlp({ hidden: [16] })).run(quiet);
    const network = await run.network();
    expect(() => network.predict(tf.zeros([1, ...network.input]))).toThrow(/network: a task is required/);
    const both = await loaded(network);
    for (const on of [0, 1]) {
      const { x, labels, accuracy: told } = measured(run, stream, on);
      const columns = network.columns({ task: on });
      expect(columns).toEqual(stream.classesOf(on));
      const want = network.predict(x, { task: on });
      expect(accuracy(want, columns, labels)).toBeCloseTo(told, 6);
      const one = await loaded(network, { task: on });
      for (const predict of [one.onnx, one.layers]) expect(apart(want, predict(x)[0]!)).toBeLessThan(1e-5);
      for (const predict of [both.onnx, both.layers]) expect(apart(want, predict(x)[on]!)).toBeLessThan(1e-5);
    }
    expect(() => network.toOnnx({ task: 2 })).toThrow(/task/);
  });

  test("whose head grows has the columns of the classes met", async () => {
    const order = classes(digits()).split(5).order([4, 1, 0, 2, 3]).slice(0, 2).scenario("class", { head: "growing" });
    const study = order.learn(mlp({ hidden: [16] }));
    const run = await study.run(quiet);
    const { state } = await run.at(experience(0).end()).state();
    const early = trainedNetwork(study.spec, 0, state);
    expect(early.columns()).toEqual(order.experience(0).classes);
    const network = await run.network();
    const { x, labels, accuracy: told } = measured(run, order, 1);
    expect(accuracy(network.predict(x), network.columns(), labels)).toBeCloseTo(told, 6);
    for (const each of [early, network]) {
      const { onnx, layers } = await loaded(each);
      for (const predict of [onnx, layers]) expect(apart(each.predict(x), predict(x)[0]!)).toBeLessThan(1e-5);
    }
  });

  test("predicts as its strategies do, in an ONNX file too, and is then no tfjs model", async () => {
    const model = mlp({ hidden: [16] });
    for (const study of [
      images().learn(model).by(icarl()),
      images().learn(model).by(slda()),
      images().scenario("task").learn(model).by(packnet()),
    ] as readonly Study[]) {
      const { stream } = study.spec;
      const run = await study.run(quiet);
      const network = await run.network();
      const { x, labels, accuracy: told } = measured(run, stream, 0);
      const options = stream.head === "multi" ? { task: 0 } : {};
      const want = network.predict(x, options);
      expect(accuracy(want, network.columns(options), labels)).toBeCloseTo(told, 6);
      expect(apart(want, importOnnx(network.toOnnx(options))(x)[0]!)).toBeLessThan(1e-5);
      await expect(network.saveTfjs(`${folder}/none`, options)).rejects.toThrow(
        new RegExp(`got ${study.name}, which predicts in its own way; save the network as ONNX`),
      );
    }
  });

  test("is read from the record of the run, or trained again to the same numbers, for each seed and of a fork", async () => {
    const study = small();
    const run = await study.run({ quiet: true, record: `${folder}/runs`, seeds: 2 });
    const again = await study.run({ ...quiet, seeds: 2 });
    const x = random(1).uniforms([5, 8]);
    const logits = async (of: Run, seed?: number) => [
      ...(await of.network(seed === undefined ? {} : { seed })).predict(x).dataSync(),
    ];
    const first = await logits(run);
    expect(await logits(again)).toEqual(first);
    expect(await logits(run, 1)).not.toEqual(first);
    expect(await logits(await run.at(task(1)).fork())).toEqual(first);
    expect(await logits(await run.at(task(1)).fork({ strategies: [naive()] }))).not.toEqual(first);
    await expect(run.network({ seed: 9 })).rejects.toThrow("network: one of the seeds 0, 1 is required, got 9");
    await expect(runFromJson(run.toJSON()).network()).rejects.toThrow(/^network: a run of a study in this session/);
  });

  test("with a layer that tf.layers has not is refused as a tfjs model by the layer's name, and saved as ONNX", async () => {
    const tokens = fromArrays(
      Array.from({ length: 40 }, (_, i) => [i % 4, (i >> 2) % 4, 1]),
      Array.from({ length: 40 }, (_, i) => i % 2),
      { kind: "sequence" },
    );
    const learnt = async (model: Model) => {
      const run = await classes(tokens).split(2).learn(model).by(ewc()).run(quiet);
      return run.network();
    };
    const x = tf.tensor2d([
      [0, 1, 2],
      [3, 3, 3],
    ]);
    const gru = await learnt(net().embedding(4, 5, { positions: false }).gru(4).last());
    expect(() => gru.toLayers()).toThrow(/required, got gru as layer 2 of net; save the network as ONNX/);
    expect(apart(gru.predict(x), importOnnx(gru.toOnnx())(x)[0]!)).toBeLessThan(1e-5);
    const placed = await learnt(net().embedding(4, 5).flatten());
    expect(() => placed.toLayers()).toThrow(/got embedding with positions; save the network as ONNX/);
    const { onnx, layers } = await loaded(await learnt(net().embedding(4, 5, { positions: false }).flatten()));
    expect(apart(onnx(x)[0]!, layers(x)[0]!)).toBeLessThan(1e-5);
  });
});

describe("the files of a tfjs model", () => {
  test("are those that TensorFlow.js documents: the weights' bytes in the order of the manifest", async () => {
    const run = await classes(blobs({ dimensions: 3 }))
      .split(2)
      .learn(mlp({ hidden: [2] }))
      .run(quiet);
    const network = await run.network();
    await network.saveTfjs(`${folder}/files`);
    const json = JSON.parse(readFileSync(`${folder}/files/model.json`, "utf8"));
    const [{ paths, weights }] = json.weightsManifest;
    expect(json.format).toBe("layers-model");
    expect(paths).toEqual(["weights.bin"]);
    const numbers = weights.reduce(
      (sum: number, { shape }: tf.io.WeightsManifestEntry) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    const bytes = readFileSync(`${folder}/files/weights.bin`);
    expect(bytes.length).toBe(4 * numbers);
    // the model by hand: two dense layers with a rectifier between
    const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const [k1, b1, k2] = [all.subarray(0, 6), all.subarray(6, 8), all.subarray(8, 8 + 2 * network.columns().length)];
    const b2 = all.subarray(8 + k2.length);
    const x = [0.5, -1, 2];
    const hidden = [0, 1].map((j) =>
      Math.max(
        0,
        x.reduce((sum, value, i) => sum + value * k1[2 * i + j]!, b1[j]!),
      ),
    );
    const want = [...b2].map((b, j) => hidden.reduce((sum, value, i) => sum + value * k2[b2.length * i + j]!, b));
    expect(apart(network.predict(tf.tensor2d([x])), tf.tensor2d([want]))).toBeLessThan(1e-5);
  });

  test("say so when they are not there", async () => {
    await expect(tfLayers.loadLayersModel(modelFiles(`${folder}/nothing`))).rejects.toThrow(
      /modelFiles: a folder with a model.json is required/,
    );
  });
});

/** What is saved predicts what it predicted before. */
import { describe, expect, it } from "vitest";
import { exportOnnx, importOnnx, random, tf, tfLayers } from "../../lib/engine/index.ts";
import { batch, cnn, gru, mlp, type Program, resnet18, vit } from "./support.ts";

const numbers = (x: tf.Tensor): number[] => [...x.dataSync()];
const programs: [string, Program][] = [
  ["MLP", mlp([6, 8, 3])],
  ["CNN", cnn(8, [3, 4], 6)],
  ["ViT", vit(8, 2, 1, 4, 5)],
];

describe("ONNX files", () => {
  for (const [name, program] of programs) {
    it(`of a trained ${name} predict the same after loading`, () => {
      const params = program.init(random(1));
      const { x } = batch(program, 4, 2);
      const bytes = exportOnnx((input) => tf.softmax(program.apply(params, input)), [tf.zeros(x.shape)]);
      const [got] = importOnnx(bytes)(x);
      const want = numbers(tf.softmax(program.apply(params, x)));
      expect(got!.shape).toEqual([4, program.classes]);
      numbers(got!).forEach((p, i) => {
        expect(p).toBeCloseTo(want[i]!, 5);
      });
    });
  }
  for (const [name, program] of [...programs, ["GRU", gru(4, 5, 3)], ["ResNet-18", resnet18(2, 8, [1, 2])]] as const) {
    it(`of the ${name} take any batch where they are asked to`, () => {
      const params = program.init(random(1));
      const predict = (input: tf.Tensor): tf.Tensor => tf.softmax(program.apply(params, input));
      const run = importOnnx(exportOnnx(predict, [tf.zeros([2, ...program.input])], { batch: "any" }));
      for (const size of [1, 2, 5, 40]) {
        const { x } = batch(program, size, 2);
        const want = numbers(predict(x));
        const [got] = run(x);
        expect(got!.shape).toEqual([size, program.classes]);
        numbers(got!).forEach((p, i) => {
          expect(p).toBeCloseTo(want[i]!, 5);
        });
      }
    });
  }
  it("of layers, embeddings and recurrent ones too, take any batch, and those that cut the batch into pieces are refused", () => {
    const { layers } = tfLayers;
    const model = tfLayers.sequential({
      layers: [
        layers.embedding({ inputDim: 10, outputDim: 4, inputLength: 6 }),
        layers.lstm({ units: 5, returnSequences: true }),
        layers.bidirectional({ layer: layers.gru({ units: 3 }) as never, mergeMode: "concat" }),
        layers.dense({ units: 2 }),
      ],
    });
    const words = (count: number): tf.Tensor => tf.cast(random(1).uniforms([count, 6], 0, 9), "int32");
    const run = importOnnx(exportOnnx((x) => model.apply(x!) as tf.Tensor, [words(2)], { batch: "any" }));
    for (const count of [1, 7]) {
      const want = numbers(model.predict(words(count)) as tf.Tensor);
      numbers(run(words(count))[0]!).forEach((y, i) => {
        expect(y).toBeCloseTo(want[i]!, 5);
      });
    }
    expect(() => exportOnnx((x) => model.predict(x!) as tf.Tensor, [words(2)], { batch: "any" })).toThrow(
      /every row alike is required, got one where the number of its operations depends/,
    );
    expect(() => exportOnnx((x) => tf.add(x!, tf.range(0, x!.shape[0]!)), [tf.zeros([3])], { batch: "any" })).toThrow(
      /every row alike is required, got one where a constant of its Add depends/,
    );
  });
  it("ask for as many inputs as they have", () => {
    const run = importOnnx(exportOnnx((a, b) => tf.add(a!, b!), [tf.zeros([2]), tf.zeros([2])]));
    expect(() => run(tf.zeros([2]))).toThrow(/2 inputs \(input0, input1\) are required, got 1/);
    expect(numbers(run(tf.tensor1d([1, 2]), tf.tensor1d([10, 20]))[0]!)).toEqual([11, 22]);
  });
  it("cannot be written of a function that decides by numbers", () => {
    expect(() => exportOnnx((x) => (x!.dataSync()[0]! > 0 ? x! : tf.neg(x!)), [tf.zeros([1])])).toThrow(/were read/);
  });
});

describe("tfjs models", () => {
  it("train, save, load and predict the same on the engine", async () => {
    const model = tfLayers.sequential({
      layers: [
        tfLayers.layers.conv2d({
          inputShape: [8, 8, 1],
          filters: 3,
          kernelSize: 3,
          activation: "relu",
          padding: "same",
        }),
        tfLayers.layers.batchNormalization(),
        tfLayers.layers.maxPooling2d({ poolSize: 2 }),
        tfLayers.layers.flatten(),
        tfLayers.layers.dropout({ rate: 0.1, seed: 1 }),
        tfLayers.layers.dense({ units: 4, activation: "softmax" }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(0.01), loss: "categoricalCrossentropy" });
    const x = random(1).uniforms([16, 8, 8, 1]);
    const y = tf.oneHot(
      tf.tensor1d(
        Array.from({ length: 16 }, (_, i) => i % 4),
        "int32",
      ),
      4,
    );
    const { history } = await model.fit(x, y, { epochs: 6, batchSize: 8, verbose: 0, shuffle: false });
    const losses = history.loss as number[];
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
      }),
    );
    const again = await tfLayers.loadLayersModel(tf.io.fromMemory(saved!));
    expect(numbers(again.predict(x) as tf.Tensor)).toEqual(numbers(model.predict(x) as tf.Tensor));
  });
});

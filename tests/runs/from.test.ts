import {
  adam,
  backbone,
  classes,
  cnn,
  digits,
  from,
  fromScratch,
  headed,
  type Model,
  mlp,
  net,
  normalized,
  type Progress,
  runMany,
  type Study,
  specFromJson,
  specHash,
  specJson,
  type TrainedNetwork,
  tf,
  trained,
} from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { temporary, timeless } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);
const quiet = { quiet: true, record: false } as const;

const images = classes(digits());
const early = images.split(5).slice(0, 3);
const late = images.split(5).slice(3);
const learnt = async (study: Study): Promise<TrainedNetwork> => (await study.run(quiet)).network();

/** All numbers of a tree of tensors, in its order. */
function flat(node: object): number[] {
  return node instanceof tf.Tensor ? [...node.dataSync()] : Object.values(node).flatMap((each) => flat(each));
}

/** What a study has before its first step, for a seed. */
async function begun(study: Study, seed = 0) {
  const fitting = study.fit({ seed });
  for await (const event of fitting) if (event.type === "started") break;
  const { weights, statistics } = fitting.session.learner;
  const numbers = { model: flat(weights.model), head: flat(weights.head), statistics: flat(statistics) };
  fitting.dispose();
  return numbers;
}

describe("a study that begins from the network of another", () => {
  test("learns in a few steps what one from nothing does not", async () => {
    const model = mlp({ hidden: [64] });
    const pretraining = await images
      .learn(model)
      .with(adam({ lr: 1e-3 }))
      .train({ epochs: 3 })
      .run(quiet);
    const big = await pretraining.network();
    const accuracy = async (start: Model) => {
      const run = await images
        .learn(start)
        .train({ steps: 15 })
        .run({ ...quiet, seeds: 3 });
      return [0, 1, 2].map((seed) => run.matrix({ seed }).values[0]![0]!);
    };
    const [after, anew] = [await accuracy(from(big)), await accuracy(model)];
    expect(Math.min(...after)).toBeGreaterThan(Math.max(...anew));
  });

  test("has its weights and running statistics whatever the seed, and a head of its own", async () => {
    const model = net().conv(4, 3).batchNorm().relu().pool(4).flatten();
    const big = await learnt(early.learn(model));
    const study = late.learn(from(big));
    const { numTensors } = tf.memory();
    const [one, other] = [await begun(study, 1), await begun(study, 2)];
    expect(tf.memory().numTensors).toBe(numTensors);
    for (const each of [one, other]) {
      expect(each.model).toEqual(flat(big.weights.model));
      expect(each.statistics).toEqual(flat(big.statistics));
    }
    expect(flat(big.statistics)).not.toEqual(flat(model.statistics([8, 8, 1])));
    expect(one.head).not.toEqual(other.head);
    expect((await begun(late.learn(model), 1)).head, "the head is drawn as without it").toEqual(one.head);
  });

  test("leaves the network to the caller, and needs it no more", async () => {
    const big = await learnt(early.learn(mlp({ hidden: [8] })));
    const before = flat(big.weights.model);
    const study = late.learn(from(big));
    await study.run(quiet);
    expect(flat(big.weights.model)).toEqual(before);
    big.dispose();
    expect((await begun(study)).model).toEqual(before);
  });

  test("keeps the head where the classes are the network's, lets it grow for more, and says so where they are others", async () => {
    const three = images.split(5).slice(0, 3).scenario("class", { head: "growing" });
    const big = await learnt(images.split(5).learn(mlp({ hidden: [8] })));
    const kept = await begun(images.split(5).learn(from(big, { head: "keep" })), 7);
    expect(kept.head).toEqual(flat(big.weights.head));
    const small = big.with({
      weights: { model: big.weights.model, head: { kernel: tf.ones([8, 2]), bias: tf.zeros([2]) } },
      classes: ["0", "1"],
      tasks: [[0, 1]],
    });
    const grown = await begun(three.learn(from(small, { head: "keep" })));
    const drawn = await begun(three.learn(from(small)));
    const width = drawn.head.length / 9;
    expect(grown.head.length).toBe(drawn.head.length);
    for (let i = 0; i < 8; i++)
      for (let column = 0; column < width; column++)
        expect(grown.head[i * width + column]).toBe(column < 2 ? 1 : drawn.head[i * width + column]);
    const renamed = small.with({ classes: ["cat", "dog"] });
    expect(() => three.learn(from(renamed, { head: "keep" }))).toThrow(
      'from: a stream that begins with the classes of the network is required to keep its head, got 0, 1, 2, 3, 4, … for cat, dog; take from(network, { head: "new" })',
    );
    expect(() => from(big, { head: "old" as never })).toThrow(/^from: .*keep.*new/);
    const other = await begun(three.learn(headed(from(small, { head: "keep" }), normalized())));
    expect(other.head).toEqual((await begun(three.learn(headed(mlp({ hidden: [8] }), normalized())))).head);
  });

  test("takes images of another size where the weights do not ask for one, and says so where they do", async () => {
    const wide = await learnt(early.learn(mlp({ hidden: [8] })));
    const other = classes(digits())
      .split(5)
      .features((batch: Float32Array) => batch);
    expect(() => other.learn(from(wide)).fit()).not.toThrow();
    const flatCnn = await learnt(early.learn(cnn({ filters: [2], units: 4 })));
    expect(() => from(flatCnn).init(null as never, [10, 10, 1])).toThrow(
      /^from: examples of shape \[8,8,1\], as the network was trained on, are required, got \[10,10,1\], for which .* were required/,
    );
    const open = await learnt(early.learn(net().conv(2, 3).pool(8).flatten() as Model));
    const made = from(open).init(null as never, [16, 8, 1]);
    expect(flat(made)).toEqual(flat(open.weights.model));
  });

  test("says the network by its checksum in its JSON, and is made again where the network is given", async () => {
    const big = await learnt(early.learn(mlp({ hidden: [8] })));
    const study = late.learn(from(big));
    const json = JSON.parse(JSON.stringify(specJson(study.spec)));
    expect(json.model).toEqual({
      ...mlp({ hidden: [8] }).toJSON(),
      from: { network: big.checksum, head: "new" },
    });
    const again = specFromJson(json, [digits()], [big]);
    expect(specHash(again)).toBe(study.hash);
    expect(() => specFromJson(json, [digits()])).toThrow(
      `specFromJson: the network with checksum ${big.checksum} is required, got none; give it in the list of networks`,
    );
    const moved = big.with({ weights: { ...big.weights, head: { ...big.weights.head, bias: tf.ones([10]) } } });
    expect(moved.checksum).not.toBe(big.checksum);
    expect(() => specFromJson(json, [digits()], [moved])).toThrow(`got ${moved.checksum}; give it`);
    expect(late.learn(from(moved)).hash).not.toBe(study.hash);
    expect(late.learn(from(big, { head: "keep" })).hash).not.toBe(study.hash);
    const headedAgain = late.learn(headed(from(big), normalized()));
    expect(specHash(specFromJson(JSON.parse(JSON.stringify(headedAgain)), [digits()], [big]))).toBe(headedAgain.hash);
  });

  test("trains to the same numbers in other processes, stopped and gone on with, and from a chain of networks", async () => {
    const big = await learnt(early.learn(mlp({ hidden: [8] })).train({ steps: 5 }));
    const next = await learnt(late.learn(from(big)).train({ steps: 5 }));
    const study = late.learn(from(next)).train({ steps: 12 });
    big.dispose();
    const here = await study.run({ ...quiet, seeds: 2 });
    const there = await study.run({ ...quiet, seeds: 2, workers: 1 });
    expect(there.logs.map(({ events }) => timeless(events))).toEqual(here.logs.map(({ events }) => timeless(events)));
    const record = `${folder}/stopped`;
    const stop = new AbortController();
    const progress: Progress = { begin() {}, end() {}, event: ({ type }) => void (type === "step" && stop.abort()) };
    await expect(runMany(study.spec, { record, signal: stop.signal, progress })).rejects.toThrow(/stopped/);
    const resumed = await study.resume({ quiet: true, record });
    expect(timeless(resumed.logs[0]!.events)).toEqual(timeless(here.logs[0]!.events));
  });

  test("begins there again under a strategy that begins anew with every experience", async () => {
    const big = await learnt(early.learn(mlp({ hidden: [8] })));
    const study = images.split(5).slice(0, 2).learn(from(big)).by(fromScratch()).train({ steps: 1 });
    const fitting = study.fit();
    for await (const event of fitting) if (event.type === "boundary" && event.experience === 1) break;
    expect(flat(fitting.session.learner.weights.model)).toEqual(flat(big.weights.model));
    fitting.dispose();
  });

  test("gives features to a stream as a backbone too", async () => {
    const big = await learnt(early.learn(mlp({ hidden: [8] })));
    const given = backbone(big.model, { weights: big.weights.model });
    const batch = new Float32Array(64).fill(0.5);
    expect(backbone(from(big)).apply(batch, 1, [8, 8, 1])).toEqual(given.apply(batch, 1, [8, 8, 1]));
    const study = images
      .features(backbone(from(big)))
      .learn(mlp({ hidden: [] }))
      .train({ steps: 3 });
    const json = JSON.parse(JSON.stringify(study));
    expect(specHash(specFromJson(json, [digits()], [big]))).toBe(study.hash);
    expect(() => specFromJson(json, [digits()])).toThrow(`the network with checksum ${big.checksum} is required`);
    big.dispose();
    const [here, there] = [await study.run(quiet), await study.run({ ...quiet, workers: 1 })];
    expect(timeless(there.logs[0]!.events)).toEqual(timeless(here.logs[0]!.events));
  });
});

describe("a network as a value", () => {
  test("counts its numbers, bytes and arithmetic layer by layer, as worked by hand", async () => {
    const big = await learnt(early.learn(net().conv(4, 3).relu().pool(2).flatten().dense(5)));
    const rows = big.summary();
    expect(rows.map(({ layer, output, parameters, flops }) => [layer, output, parameters, flops])).toEqual([
      ["conv(4, 3, 1)", [8, 8, 4], 40, 2 * 36 * 64],
      ["relu", [8, 8, 4], 0, 0],
      ["pool(2, 2)", [4, 4, 4], 0, 0],
      ["flatten", [64], 0, 0],
      ["dense(5)", [5], 325, 2 * 320],
      ["head: linear", [10], 60, 2 * 50],
    ]);
    expect(big.parameters).toBe(425);
    expect(big.bytes).toBe(1700);
    expect(big.flops).toBe(4608 + 640 + 100);
    expect(big.scale).toBe(1 / 16);
  });

  test("is made of parts without a run, and copies what it is given", () => {
    const { numTensors } = tf.memory();
    const weights = { model: {}, head: { kernel: tf.tensor2d([[1, 2]]), bias: tf.tensor1d([0.5, 0]) } };
    const made = trained({ model: net(), input: [1], weights, classes: ["no", "yes"] });
    const doubled = made.with({ weights: { ...weights, head: { ...weights.head, kernel: tf.tensor2d([[2, 4]]) } } });
    tf.dispose([weights.head.kernel, weights.head.bias]);
    const x = tf.tensor2d([[3]]);
    expect([...made.predict(x).dataSync()]).toEqual([3.5, 6]);
    expect([...doubled.predict(x).dataSync()]).toEqual([6.5, 12]);
    expect(() => made.with({ classes: ["one"] })).toThrow(
      "trained: a name for each of the head's 2 columns is required, got 1; name them all",
    );
    made.dispose();
    doubled.dispose();
    expect(tf.memory().numTensors - numTensors, "x, two logits and the kernel that was given").toBe(4);
  });
});

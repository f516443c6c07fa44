import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import {
  adam,
  blobs,
  classes,
  cnn,
  digits,
  fromArrays,
  fromText,
  loadNetwork,
  mlp,
  net,
  saveNetwork,
  type TrainedNetwork,
  tf,
} from "thalweg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";

const quiet = { quiet: true, record: false } as const;
const folder = mkdtempSync(join(tmpdir(), "inputs-"));
const data = digits();
const first = [0, 1, 2, 3, 4];
const raw = new Uint8Array(5 * 64);
data.test.read(first, raw);
const scaled = gather(data.test, first);

let network: TrainedNetwork;
let expected: Float32Array;
let measured: number;
const logits = (x: Parameters<TrainedNetwork["predict"]>[0], of = network): Float32Array => {
  const made = of.predict(x);
  const values = made.dataSync() as Float32Array;
  made.dispose();
  return values;
};

beforeAll(async () => {
  const study = classes(data)
    .learn(mlp({ hidden: [32] }))
    .with(adam({ lr: 0.01 }))
    .train({ batch: 32, epochs: 4 });
  const run = await study.run(quiet);
  measured = run.matrix().values[0]![0]!;
  network = await run.network();
  const x = tf.tensor(scaled, [5, 8, 8, 1]);
  expected = logits(x);
  x.dispose();
});

afterAll(() => {
  network.dispose();
  rmSync(folder, { recursive: true });
});

/** The same logits, whatever size of batch they were worked out in. */
function same(got: Float32Array, wanted: Float32Array = expected): void {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 4);
  });
}

describe("network.predict takes what a person has", () => {
  const rows = (of: ArrayLike<number>): number[][] => first.map((i) => Array.from(of).slice(64 * i, 64 * i + 64));
  const images = (of: ArrayLike<number>): number[][][] =>
    rows(of).map((row) => Array.from({ length: 8 }, (_, y) => row.slice(8 * y, 8 * y + 8)));

  test.each<[string, () => Parameters<TrainedNetwork["predict"]>[0]]>([
    ["bytes, one after the other", () => raw],
    ["bytes, clamped", () => new Uint8ClampedArray(raw)],
    ["a list of rows of bytes", () => first.map((i) => raw.subarray(64 * i, 64 * i + 64))],
    ["numbers from 0 to 1, one after the other", () => scaled],
    ["numbers of double precision", () => Float64Array.from(scaled)],
    ["whole numbers in plain rows", () => rows(raw)],
    ["numbers from 0 to 1 in plain rows", () => rows(scaled)],
    ["plain images, without their one channel", () => images(raw)],
    ["plain images with a channel", () => images(raw).map((image) => image.map((row) => row.map((v) => [v])))],
    ["one flat list", () => Array.from(raw)],
  ])("%s", (_, make) => {
    same(logits(make()));
  });

  test("one example alone, as a tensor, as bytes and as an image", () => {
    const one = tf.tensor(scaled.slice(0, 64), [8, 8, 1]);
    for (const x of [one, raw.subarray(0, 64), images(raw)[0]!]) same(logits(x), expected.slice(0, 10));
    one.dispose();
  });

  test("a table of the data set, and of the stream, of any length", () => {
    const all = logits(data.test);
    expect(all.length).toBe(10 * data.test.length);
    same(all.slice(0, 50));
    const right = data.test.labels.reduce((sum, label, i) => {
      const own = all.subarray(10 * i, 10 * i + 10);
      return sum + (own.indexOf(Math.max(...own)) === label ? 1 : 0);
    }, 0);
    expect(right / data.test.length).toBe(measured);
    expect(measured).toBeGreaterThan(0.8);
    same(logits(classes(data).test(0).examples).slice(0, 50));
  });

  test("an image file, grey or in colour, by its whole range", () => {
    // the digits have bytes from 0 to 16; a picture of the same has bytes from 0 to 255
    const grey = Uint8Array.from(raw.subarray(0, 64), (v) => Math.round((v * 255) / 16));
    const path = join(folder, "one.png");
    writeFileSync(path, encode({ width: 8, height: 8, channels: 1, depth: 8, data: grey }));
    const got = logits(path);
    got.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThan(0.1);
    });
    expect(network.classify(path)[0]!.class).toBe(network.classify(raw)[0]!.class);
    const colour = join(folder, "colour.png");
    const wide = Uint8Array.from(
      { length: 16 * 16 * 3 },
      (_, i) => grey[8 * (Math.floor(i / 48) >> 1) + (Math.floor((i % 48) / 3) >> 1)]!,
    );
    writeFileSync(colour, encode({ width: 16, height: 16, channels: 3, depth: 8, data: wide }));
    expect(() => network.predict(colour)).toThrow("network: an image of shape [8,8,1] is required, got [16,16,3]");
    const resized = network.predict(colour, { resize: true });
    expect(resized.shape).toEqual([1, 10]);
    resized.dispose();
    expect(network.classify([path, path]).map(({ example }) => example)).toEqual([0, 1]);
  });

  test("what cannot be right is refused, with both sides named", () => {
    const bad: [unknown, string][] = [
      [data, "got a data set; data.test is a table of a data set"],
      [undefined, "got undefined"],
      [blobs().test, "examples of shape [8,8,1] are required, got a table of shape [2]"],
      [new Uint8Array(65), "64 for each, got 65 of shape [65]"],
      [[], "got 0 of shape [0]"],
      [[[1, 2], [3]], "numbers nested alike are required, got a list of 1 beside [2] in example 1"],
      [Array.from({ length: 64 }, () => Number.NaN), "finite numbers are required, got NaN at 0"],
      [
        new Uint8Array(64).fill(17),
        "bytes from 0 to 16, as the data set has them, or numbers from 0 to 1 are required",
      ],
      [new Float32Array(64).fill(-0.4), "got numbers from -0.4"],
      [new Float32Array(64).fill(3.5), "got numbers from 3.5 to 3.5"],
      [[["a"]], "got a beside [] in example 0"],
      [tf.zeros([3, 7]), "a tensor of shape [n, 8,8,1] is required, got [3,7]"],
    ];
    for (const [x, message] of bad) expect(() => network.predict(x as never)).toThrow(message);
    expect(() => network.classify(raw, { top: 0 })).toThrow(
      "classify: top must be a whole number of at least 1, got 0",
    );
  });

  test("gives back every tensor it made, and leaves those that it was given", () => {
    const x = tf.tensor(scaled, [5, 8, 8, 1]);
    const path = join(folder, "leak.png");
    writeFileSync(path, encode({ width: 8, height: 8, channels: 1, depth: 8, data: raw.subarray(0, 64) }));
    const before = tf.memory().numTensors;
    for (const given of [x, raw, data.test, images(raw), path]) {
      network.predict(given).dispose();
      network.classify(given, { top: 3 });
      network.features(given).dispose();
      expect(() => network.predict(new Uint8Array(65))).toThrow();
      expect(tf.memory().numTensors).toBe(before);
    }
    expect(x.isDisposed).toBe(false);
    x.dispose();
  });
});

describe("network.classify answers by name", () => {
  test("with probabilities that are the softmax of the logits", () => {
    const rows = network.classify(raw, { top: 10 });
    expect(rows).toHaveLength(50);
    const own = rows.filter(({ example }) => example === 3);
    const z = expected.slice(30, 40);
    const total = z.reduce((sum, value) => sum + Math.exp(value), 0);
    for (const { class: name, probability } of own)
      expect(probability).toBeCloseTo(Math.exp(z[Number(name)]!) / total, 5);
    expect(own.map(({ probability }) => probability)).toEqual(
      own.map(({ probability }) => probability!).sort((a, b) => b - a),
    );
    expect(network.classify(raw).map(({ class: name }) => name)).toEqual(
      first.map((i) => rows.find(({ example }) => example === i)!.class),
    );
  });

  test("of the task that is named, and of ids that are not 0 to n − 1", async () => {
    const ids = fromArrays(
      Array.from({ length: 80 }, (_, i) => [i % 4 === 0 ? 1 : 0, i % 4 === 1 ? 1 : 0, i % 4 === 2 ? 1 : 0]),
      Array.from({ length: 80 }, (_, i) => [3, 7, 100, 5_000_000_000][i % 4]!),
    );
    const study = classes(ids)
      .split(2)
      .scenario("task")
      .learn(mlp({ hidden: [8] }))
      .with(adam({ lr: 0.05 }));
    const run = await study.train({ epochs: 8 }).run(quiet);
    const own = await run.network();
    expect(() => own.classify([1, 0, 0])).toThrow("a task is required where the network is told it");
    expect(own.classify([1, 0, 0], { task: 0 })[0]).toMatchObject({ example: 0, class: "3" });
    expect(
      own
        .classify(
          [
            [0, 0, 1],
            [0, 0, 0],
          ],
          { task: 1 },
        )
        .map((row) => row.class),
    ).toEqual(["100", "5000000000"]);
    saveNetwork(own, join(folder, "saved"));
    const again = loadNetwork(join(folder, "saved"));
    expect(again.classify([1, 0, 0], { task: 0 })).toEqual(own.classify([1, 0, 0], { task: 0 }));
    own.dispose();
    again.dispose();
  });

  test("with numbers where numbers are asked for, after saving too", async () => {
    const x = Array.from({ length: 60 }, (_, i) => [i / 30 - 1]);
    const line = fromArrays(
      x,
      x.map(([v]) => [2 * v!, 1 - v!]),
      { target: "numbers", classes: ["double", "rest"] },
    );
    const run = await classes(line)
      .learn(net())
      .with(adam({ lr: 0.1 }))
      .train({ epochs: 30 })
      .run(quiet);
    const own = await run.network();
    saveNetwork(own, join(folder, "line"));
    const again = loadNetwork(join(folder, "line"));
    for (const each of [own, again]) {
      const rows = each.classify([0.5]);
      expect(rows.map(({ class: name, probability }) => [name, probability])).toEqual([
        ["double", undefined],
        ["rest", undefined],
      ]);
      expect(rows[0]!.value).toBeCloseTo(1, 1);
      expect(rows[1]!.value).toBeCloseTo(0.5, 1);
      each.dispose();
    }
  });

  test("with several labels where several are asked for", async () => {
    const stream = classes(blobs({ classes: 3, spread: 0.1 })).multiLabel();
    const run = await stream
      .learn(mlp({ hidden: [16] }))
      .with(adam({ lr: 0.03 }))
      .train({ epochs: 6 })
      .run(quiet);
    const own = await run.network();
    const rows = own.classify(stream.test(0).examples);
    expect(rows.every(({ probability }) => probability! >= 0.5)).toBe(true);
    const z = logits(stream.test(0).examples, own);
    expect(rows).toHaveLength(z.filter((value) => value >= 0).length);
    expect(own.classify(stream.test(0).examples, { top: 2 })).toHaveLength(2 * stream.test(0).examples.length);
    own.dispose();
  });

  test("with the next token at each place of a text", async () => {
    const text = fromText("abcabcabd".repeat(60), { length: 4 });
    const model = net().embedding(4, 8).dense(16).relu();
    const run = await classes(text)
      .learn(model)
      .with(adam({ lr: 0.03 }))
      .train({ epochs: 6 })
      .run(quiet);
    const own = await run.network();
    const rows = own.classify("abca");
    expect(rows.map(({ place, class: name }) => [place, name])).toEqual([
      [0, "b"],
      [1, "c"],
      [2, "a"],
      [3, "b"],
    ]);
    expect(() => own.classify("abcx")).toThrow('network: tokens of the data set are required, got "x"');
    expect(() => own.classify("abc")).toThrow("network: a text of 4 tokens is required, got 3");
    own.dispose();
  });

  test("of convolutions, which see images as they are", async () => {
    const run = await classes(data).limit({ train: 64 }).learn(cnn()).train({ batch: 32 }).run(quiet);
    const own = await run.network();
    same(logits(raw, own), logits(scaled, own));
    own.dispose();
  });
});

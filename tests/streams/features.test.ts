import { expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { gather } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { tf } from "../../lib/engine/index.ts";
import { random } from "../../lib/engine/random.ts";
import { backbone } from "../../lib/models/backbone.ts";
import { mlp } from "../../lib/models/backbones/mlp.ts";
import { tape } from "../../lib/models/model.ts";
import { network } from "../../lib/models/network.ts";
import { constant, sgd } from "../../lib/optim/index.ts";
import { streamFromJson } from "../../lib/streams/from-json.ts";
import { features } from "../../lib/streams/operators/features.ts";
import { limit } from "../../lib/streams/operators/limit.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { validation } from "../../lib/streams/operators/validation.ts";
import { blocks } from "../../lib/streams/parts/blocks.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { specFromJson } from "../../lib/train/from-json.ts";
import { evaluation, type RunSpec, specHash, specJson, training } from "../../lib/train/spec.ts";
import { run } from "../strategies/support.ts";

const images = digits();
const five = split(5)(classes(images)) as Stream;
const all = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i);

/** The mean of each quarter of an image, and how often it was asked for. */
function quarters(): { readonly f: (batch: Float32Array, count: number) => Float32Array; readonly rows: () => number } {
  let rows = 0;
  const f = function quarters(batch: Float32Array, count: number): Float32Array {
    rows += count;
    const out = new Float32Array(4 * count);
    batch.forEach((value, i) => {
      out[Math.floor(i / 16)]! += value / 16;
    });
    return out;
  };
  return { f, rows: () => rows };
}

test("features are the function applied by hand, to what is trained on, validated and tested", () => {
  const { f } = quarters();
  const from = validation(0.2)(five) as Stream;
  const stream = features(f)(from) as Stream;
  expect([stream.kind, stream.shape, stream.length, stream.facts]).toEqual(["vector", [4], 5, from.facts]);
  for (const i of [0, 3]) {
    const [own, was] = [stream.experience(i), from.experience(i)];
    for (const part of ["train", "validation", "test"] as const) {
      const at = all(was[part]!.length);
      expect(gather(own[part]!, at)).toEqual(f(gather(was[part]!, at), at.length));
      expect(own[part]!.labels).toEqual(was[part]!.labels);
    }
    expect(gather(stream.test(i).examples, [2])).toEqual(f(gather(from.test(i).examples, [2]), 1));
  }
});

test("every example passes once, when it is first read, however it is read afterwards", () => {
  const { f, rows } = quarters();
  const stream = features(f)(five) as Stream;
  const probe = rows(); // one row of zeros tells the width
  expect(probe).toBe(1);
  const { train } = stream.experience(0);
  expect(rows()).toBe(probe);
  gather(train, [5]);
  expect(rows()).toBe(probe + 256);
  for (let epoch = 0; epoch < 3; epoch++) {
    for (let i = 0; i < 5; i++) {
      const own = stream.experience(i).train;
      for (const at of random(epoch).permutation(own.length)) gather(own, [at]);
    }
  }
  expect(rows()).toBe(probe + images.train.length);
  gather((limit(7)(stream as never) as Stream).experience(2).train, all(7)); // views of it read what is there
  expect(rows()).toBe(probe + images.train.length);
});

test("what is kept is bounded, and what is made again is the same", () => {
  const { f, rows } = quarters();
  const room = 2 * 256 * 4 * 4; // two blocks
  const stream = features(f, { cacheBytes: room })(classes(images)) as Stream;
  const at = all(images.train.length);
  const { train } = stream.experience(0);
  const first = gather(train, at);
  const before = rows();
  expect(gather(train, at)).toEqual(first);
  expect(rows()).toBeGreaterThan(before + at.length / 2);
  const none = features(f, { cacheBytes: 0 })(classes(images)) as Stream;
  expect(gather(none.experience(0).train, [3, 700])).toEqual(gather(train, [3, 700]));
});

test("the block that was not asked for longest makes room", () => {
  const store = blocks(100);
  const made: string[] = [];
  const ask = (key: string, size = 10) =>
    store.block(key, () => {
      made.push(key);
      return new Float32Array(size);
    });
  for (const key of ["a", "b", "a", "c", "a", "b"]) ask(key);
  expect(made).toEqual(["a", "b", "c", "b"]);
  expect(store.bytes).toBe(80);
  ask("large", 1000);
  expect([store.bytes, made.at(-1)]).toEqual([80, "large"]);
});

test("a backbone is the model in evaluation mode with the weights of its seed, whatever the batch", () => {
  const model = mlp({ hidden: [7, 5] });
  const stream = features(backbone(model, { seed: 3 }))(five) as Stream;
  const { train } = stream.experience(1);
  const rows = all(train.length);
  const x = tf.tensor(gather(five.experience(1).train, rows), [rows.length, 8, 8, 1]);
  const net = network(model, [8, 8, 1]);
  const weights = net.init(random(3).at("init"), 10); // as a run with this seed begins
  const wanted = net.features(weights, x, tape(false, null, net.statistics()).mode).dataSync();
  const got = gather(train, rows);
  for (let i = 0; i < wanted.length; i++) expect(got[i]).toBeCloseTo(wanted[i]!, 5);
  expect(gather(train, [17])).toEqual(got.slice(17 * 5, 18 * 5));
});

const spec = (stream: Stream): RunSpec => ({
  stream,
  model: mlp({ hidden: [6] }),
  strategies: [],
  optimizer: sgd({ lr: 0.1 }),
  schedule: constant(),
  training: training({ epochs: 2 }),
  evaluation: evaluation({ atStart: false }),
});

test("an experiment on features of a drawn backbone is made again from its JSON, and gives the same", () => {
  const given = spec(features(backbone(mlp({ hidden: [16] }), { seed: 1 }))(five) as Stream);
  const again = specFromJson(JSON.parse(JSON.stringify(specJson(given))), [images]);
  expect(specHash(again)).toBe(specHash(given));
  expect(run(again).weights).toEqual(run(given).weights);
});

test("what JSON cannot carry is said", () => {
  const bare = JSON.parse(JSON.stringify(features(quarters().f)(five)));
  expect(bare.args[0]).toMatchObject({ function: "quarters", gives: expect.stringMatching(/^[0-9a-f]{16}$/) });
  expect(() => streamFromJson(bare, [images])).toThrow(
    'streamFromJson: a stream that JSON can say is required, got features of the function "quarters"; apply features(quarters) to the stream again',
  );
  const drawn = JSON.parse(JSON.stringify(features(backbone(mlp({ hidden: [2] })))(five)));
  expect(() => streamFromJson(drawn, [images])).toThrow("what makes models of their JSON is required");
  const weights = mlp({ hidden: [2] }).init(random(5), [8, 8, 1]);
  const given = features(backbone(mlp({ hidden: [2] }), { weights }))(five) as Stream;
  expect(() => specFromJson(JSON.parse(JSON.stringify(specJson(spec(given)))), [images])).toThrow(
    "got one whose weights were given",
  );
});

test("functions that give other features make other studies, though they have one name", () => {
  const times = (k: number) => {
    const scaled = (batch: Float32Array): Float32Array => batch.map((v) => k * v);
    return specHash(spec(features(scaled)(five) as Stream));
  };
  expect(times(1)).toBe(times(1));
  expect(times(2)).not.toBe(times(1));
});

test("a function that does not give as many numbers for every example is refused", () => {
  const odd = (_: Float32Array, count: number): Float32Array => new Float32Array(count === 1 ? 3 : 7);
  const { train } = (features(odd)(classes(blobs({ classes: 2 }))) as Stream).experience(0);
  expect(() => gather(train, [0])).toThrow(/features: 3 numbers for each of \d+ examples are required, got 7/);
  expect(() => features(() => new Float32Array(0))(five)).toThrow("features: some numbers for each of 1 examples");
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { disposeTree, importOnnx, leaves, mapTensors, paths, random, type Tree, tf } from "../../lib/engine/index.ts";
import type { Adapter, AdapterFactory } from "../../lib/models/adapters/adapter.ts";
import {
  adapter,
  bottleneck,
  crossEntropies,
  ia3,
  lora,
  merged,
  mlp,
  net,
  network,
  parameters,
  prompt,
  ssf,
  trained,
} from "../../lib/models/index.ts";
import { type Model, type Params, tape } from "../../lib/models/model.ts";
import type { Network, Weights } from "../../lib/models/network.ts";
import { adam, applyUpdates, sgd } from "../../lib/optim/index.ts";
import { trainedNetwork } from "../../lib/runs/index.ts";
import { replay } from "../../lib/strategies/index.ts";
import { modelFromJson } from "../../lib/train/from-json.ts";
import { fitted, trainedGrad } from "../../lib/train/parts/trained.ts";
import { open } from "../../lib/train/session.ts";
import { advance, spec, stream } from "../strategies/support.ts";
import { members } from "../support/members.ts";

const found = (await members("models/adapters", ["adapter.ts"])).map(
  ({ name, exports }) => [name, exports[name] as AdapterFactory<Record<string, never>>] as const,
);
const text = (): Model =>
  net().embedding(7, 8).transformer(2, { widen: 2 }).transformer(2, { widen: 2 }).last() as never;
const image = (): Model =>
  net().conv(3, 3).relu().conv(2, 3, { stride: 2, bias: true }).relu().flatten().dense(5) as never;
const tokens = (n = 3): tf.Tensor =>
  tf.tensor2d(
    [...Array(n * 4).keys()].map((i) => (i * 5) % 7),
    [n, 4],
  );
const pixels = (n = 3): tf.Tensor => random(3).uniforms([n, 6, 6, 1]);
const input = (model: Model): number[] => (model.accepts.includes("image") ? [6, 6, 1] : [4]);
const of = (net: Network, weights: Weights, x: tf.Tensor): number[] => [
  ...tf.tidy(() => net.logits(weights, net.features(weights, x, tape(false, null, {}).mode))).dataSync(),
];
/** The same weights with every adapter's tensors drawn anew, so that adapters do something. */
const stirred = (weights: Weights): Weights => {
  const under = new Set(paths(weights as Tree).flatMap(([path, t]) => (path.includes("/adapters/") ? [t] : [])));
  return mapTensors(
    (t) => (under.has(t) ? random(t.size).uniforms(t.shape, t.rank === 0 ? 0.2 : -0.5, 0.5) : t),
    weights,
  );
};
const close = (a: readonly number[], b: readonly number[], digits: number): void => {
  expect(a.length).toBe(b.length);
  for (const [i, x] of a.entries()) expect(x).toBeCloseTo(b[i]!, digits);
};

/** What each is put on where a perceptron of three inputs has nothing for it by default, and options that fit; null where it has nothing at all. */
const onPerceptron: Readonly<Record<string, object | null>> = {
  prompt: null,
  prefix: null,
  normTuning: {},
  oft: { block: 3 },
};
/** Those that change what the network answers from the beginning. */
const beginsElsewhere = ["prompt", "prefix", "quantisedInput"];

/** Three have nothing to do on tokens: tests/strategies/small-parts.test.ts and tests/models/prompt-mixture.test.ts have them. */
const onTokens = found.filter(([name]) => !["clr", "inputTuning", "promptMixture"].includes(name));

describe.each(onTokens)("the adapter %s", (name, make) => {
  const model = text().adapt(make());

  test("is named after its file, comes back from JSON, and its tensors are of its own kind", () => {
    expect(make().spec.name).toBe(name);
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).toJSON()).toEqual(model.toJSON());
    const own = parameters(model, [4]).filter(({ path }) => `/${path}`.includes(`/adapters/${name}/`));
    expect(own.length).toBeGreaterThan(0);
    expect(new Set(own.map(({ kind }) => kind))).toEqual(
      new Set(name === "prompt" ? ["prompt"] : name === "taps" ? ["adapter", "gate"] : ["adapter"]),
    );
    const rows = model.summary([4]).reduce((sum, row) => sum + row.parameters, 0);
    expect(rows).toBe(parameters(model, [4]).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0));
  });

  test("draws the model's own tensors as they are without it, and begins as if it were not there", () => {
    const [plain, with_] = [network(text(), [4]), network(model, [4])];
    const [a, b] = [plain.init(random(5), 3), with_.init(random(5), 3)];
    const had = new Map(paths(b as Tree).map(([path, t]) => [path, String(t.dataSync())]));
    for (const [path, t] of paths(a as Tree)) expect(had.get(path)).toBe(String(t.dataSync()));
    const [x, y] = [of(plain, a, tokens()), of(with_, b, tokens())];
    if (beginsElsewhere.includes(name)) expect(x).not.toEqual(y);
    else close(x, y, 5);
    expect(of(with_, stirred(b), tokens())).not.toEqual(y);
  });

  test("trains alone with the head, goes on bit for bit from a saved state, and leaves no tensor behind", () => {
    const options = onPerceptron[name];
    if (options === null) return;
    const plain = name === "normTuning" ? net().dense(6).layerNorm().relu() : mlp({ hidden: [6] });
    const own = (plain as unknown as Model).adapt(make((options ?? { on: "2-dense" }) as never));
    const given = spec(stream({ needs: [] } as never), [replay({ capacity: 6 })], {
      model: own,
      optimizer: adam(),
    });
    const session = open(given, 1, "test");
    const before = paths(session.learner.weights.model as Tree).map(([path, t]) => [path, String(t.dataSync())]);
    advance(session, 10);
    const after = new Map(
      paths(session.learner.weights.model as Tree).map(([path, t]) => [path, String(t.dataSync())]),
    );
    const fixed = own.adapters!.at(-1)!.adapter.fixed ?? [];
    const moves = (path: string): boolean => /(^|\/)adapters\//.test(path) && !fixed.includes(path.split("/").at(-1)!);
    for (const [path, numbers] of before) expect([path, after.get(path!) !== numbers]).toEqual([path, moves(path!)]);
    const bytes = session.save();
    const tensors = tf.memory().numTensors;
    advance(session, 20);
    expect(tf.memory().numTensors).toBe(tensors);
    advance(session);
    const end = leaves(session.learner.weights).map((t) => String(t.dataSync()));
    session.dispose();
    const again = open(given, 1, "test", bytes);
    advance(again);
    expect(leaves(again.learner.weights).map((t) => String(t.dataSync()))).toEqual(end);
    again.dispose();
  });
});

describe.each([
  ["lora on a transformer", text().adapt(lora({ rank: 2 })), tokens],
  ["lora on convolutions", image().adapt(lora({ rank: 2 })), pixels],
  ["ia3 on a transformer", text().adapt(ia3()), tokens],
  ["ssf on images", image().adapt(ssf()), pixels],
  [
    "ssf on lora on images",
    image()
      .adapt(lora({ rank: 2 }))
      .adapt(ssf()),
    pixels,
  ],
  [
    "lora on ssf on images",
    image()
      .adapt(ssf())
      .adapt(lora({ rank: 2 })),
    pixels,
  ],
  [
    "ia3 on two loras on a transformer",
    text()
      .adapt(lora())
      .adapt(lora({ rank: 1, on: "*query" }))
      .adapt(ia3()),
    tokens,
  ],
  ["lora on ia3, frozen and still in between", text().adapt(ia3()).freeze("*", { still: true }).adapt(lora()), tokens],
])("%s", (_, model, x) => {
  const net = network(model, input(model));
  const weights = stirred(net.init(random(2), 3));

  test("gives the same when it is merged, and nothing of it is left", () => {
    const big = trained({ model, input: input(model), weights });
    const plain = merged(big);
    close([...plain.predict(x()).dataSync()], [...big.predict(x()).dataSync()], 6);
    expect(paths(plain.weights as Tree).some(([path]) => path.includes("adapters"))).toBe(false);
    expect(of(network(plain.model, net.input), plain.weights, x())).not.toEqual(
      of(network(plain.model, net.input), weights, x()),
    );
    for (const one of [big, plain]) one.dispose();
  });

  test("gives the same as an ONNX file", () => {
    const big = trained({ model, input: input(model), weights });
    const [out] = importOnnx(big.toOnnx())(x());
    close([...out!.dataSync()], [...big.predict(x()).dataSync()], 5);
    big.dispose();
  });
});

describe("lora", () => {
  test("trains as that of peft does, on a convolution and a linear layer, with the head", () => {
    type Numbers = Record<string, number[]>;
    const file = new URL("./peers/peft.json", import.meta.url);
    const peer = JSON.parse(readFileSync(file, "utf8")) as Record<"weights" | "begun" | "ended", Numbers> & Numbers;
    const model = net()
      .conv(3, 3)
      .relu()
      .flatten()
      .dense(5)
      .relu()
      .adapt(lora({ rank: 2, alpha: 4, on: ["1-conv", "4-dense"] }));
    const small = network(model, [4, 4, 1]);
    const own: Numbers = {
      "model/1-conv/kernel": peer.weights.conv!,
      "model/1-conv/bias": peer.weights.convBias!,
      "model/4-dense/kernel": peer.weights.first!,
      "model/4-dense/bias": peer.weights.firstBias!,
      "model/1-conv/adapters/lora/down": peer.begun.convDown!,
      "model/4-dense/adapters/lora/down": peer.begun.firstDown!,
      "head/kernel": peer.weights.head!,
      "head/bias": peer.weights.headBias!,
    };
    const drawn = small.init(random(0), 3);
    const at = new Map(paths(drawn as Tree).map(([path, t]) => [t, path]));
    let weights = mapTensors((t) => (own[at.get(t)!] === undefined ? t : tf.tensor(own[at.get(t)!]!, t.shape)), drawn);
    const optimizer = fitted(sgd({ lr: 0.5 }), small);
    const [x, y] = [tf.tensor(peer.x!, [6, 4, 4, 1]), tf.tensor1d(peer.y!, "int32")];
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const { grads, aux } = trainedGrad(
        (w) => {
          const loss = tf.mean(
            crossEntropies(small.logits(w, small.features(w, x, tape(true, null, {}).mode)), y),
          ) as tf.Scalar;
          return [loss, { loss }] as const;
        },
        weights,
        small.frozen,
      );
      losses.push(aux.loss.dataSync()[0]!);
      weights = applyUpdates(
        weights,
        optimizer.update(grads as Tree, [], weights as Tree, tf.scalar(0.5))[0] as typeof weights,
      );
    }
    close(losses, peer.losses!, 5);
    const ended = new Map(paths(weights as Tree).map(([path, t]) => [path, [...t.dataSync()]]));
    for (const [layer, theirs] of [
      ["1-conv", "conv"],
      ["4-dense", "first"],
    ])
      for (const [part, name] of [
        ["down", "Down"],
        ["up", "Up"],
      ])
        close(ended.get(`model/${layer}/adapters/lora/${part}`)!, peer.ended[`${theirs}${name}`]!, 5);
    expect(ended.get("model/1-conv/kernel")).toEqual([...tf.tensor1d(peer.weights.conv!).dataSync()]);
    close(of(small, weights, x), peer.logits!, 4);
  });

  test("stays with a head that grows, and hides a share from itself in training alone", () => {
    const small = network(mlp({ hidden: [4] }).adapt(lora({ rank: 1, dropout: 0.5 })), [3]);
    const weights = stirred(small.init(random(1), 2));
    const grown = small.grow(weights, random(1), 4);
    expect(grown.model).toBe(weights.model);
    const x = tf.ones([2, 3]);
    const noisy = (seed: number): number[] => [
      ...small.features(weights, x, tape(true, random(seed), {}).mode).dataSync(),
    ];
    expect(noisy(1)).toEqual(noisy(1));
    expect(noisy(1)).not.toEqual(noisy(2));
    expect(of(small, weights, x)).toEqual(of(small, weights, x));
  });

  test("in a run: a network is taken, merged, and begins the next", async () => {
    const given = spec(stream({ needs: [] } as never), [], { model: mlp({ hidden: [6] }).adapt(lora({ rank: 2 })) });
    const session = open(given, 0, "test");
    advance(session);
    const big = trainedNetwork(given, 0, session.save());
    session.dispose();
    const plain = merged(big);
    const x = random(1).uniforms([4, 3]);
    close([...plain.predict(x).dataSync()], [...big.predict(x).dataSync()], 5);
    expect([big.parameters - plain.parameters, plain.model.spec.name]).toEqual([3 * 2 + 2 * 6, "mlp"]);
    for (const one of [big, plain]) one.dispose();
  });
});

describe("worked by hand", () => {
  const one = (model: Model, own: Params, x: tf.Tensor): number[] => {
    const params = model.init(random(0), [2]);
    const dense = {
      kernel: tf.tensor2d([
        [1, 0],
        [0, 2],
      ]),
      bias: tf.tensor1d([0, 1]),
      adapters: own,
    };
    const out = [...model.apply({ "1-dense": dense }, x, tape(false, null, {}).mode).dataSync()];
    disposeTree(params);
    return out;
  };
  const dense = (of: Adapter): Model => (net().dense(2) as unknown as Model).adapt(of);
  const x = tf.tensor2d([[3, 1]]); // the layer gives [3, 3]

  test("a bottleneck of one unit: y + U relu(D y + b) + c", () => {
    const own = {
      down: tf.tensor2d([[1], [-2]]),
      downBias: tf.tensor1d([4]),
      up: tf.tensor2d([[10, 20]]),
      upBias: tf.tensor1d([0, 5]),
    };
    expect(one(dense(bottleneck({ units: 1, on: "*" })), { bottleneck: own }, x)).toEqual([13, 28]); // relu(3 − 6 + 4) = 1
  });

  test("factors: ia3's l ∘ y, ssf's γ ∘ y + β, lora's y + 2 · x D U", () => {
    expect(one(dense(ia3({ on: "*" })), { ia3: { outputs: tf.tensor1d([2, 3]) } }, x)).toEqual([6, 9]);
    expect(
      one(dense(ssf({ on: "*" })), { ssf: { scale: tf.tensor1d([2, 3]), shift: tf.tensor1d([1, 1]) } }, x),
    ).toEqual([7, 10]);
    const narrow = { down: tf.tensor2d([[1], [1]]), up: tf.tensor2d([[1, -1]]) };
    expect(one(dense(lora({ rank: 1, alpha: 2 })), { lora: narrow }, x)).toEqual([11, -5]); // x D = 4
  });

  test("a prompt is what every place looks at: with queries of 0 each gives the mean of values, the prompt's among them", () => {
    const model = (net().transformer(1, { widen: 1, causal: false }) as unknown as Model).adapt(prompt({ length: 1 }));
    const params = model.init(random(0), [2, 2]) as {
      readonly "1-transformer": Record<"query" | "before" | "between" | "adapters", Params>;
    };
    const zero = (part: unknown): Params => mapTensors((t) => tf.zerosLike(t), part as Params);
    const { before, between, adapters } = params["1-transformer"];
    const eye = { kernel: tf.eye(2), bias: tf.zeros([2]) };
    const none = zero(params["1-transformer"].query);
    const layer = { before, between, query: none, key: none, value: eye, out: eye, up: none, down: none };
    const given = tf.tensor3d([
      [
        [1, 3],
        [2, 6],
      ],
    ]); // each becomes (−1, 1) when it is normalised
    const run = (vectors: number[]): number[] => {
      const own = { ...adapters, prompt: { prompt: tf.tensor2d([vectors]) } };
      return [
        ...model.apply({ "1-transformer": { ...layer, adapters: own } }, given, tape(false, null, {}).mode).dataSync(),
      ];
    };
    close(run([0, 4]), [0, 4, 1, 7], 4); // the prompt is normalised to (−1, 1) too
    close(run([4, 0]), [1 - 1 / 3, 3 + 1 / 3, 2 - 1 / 3, 6 + 1 / 3], 4); // it is (1, −1): the mean is (−1, 1) / 3
  });
});

describe("an adapter", () => {
  test("is seen by strategies' taps as part of the layer's output", () => {
    const small = network(mlp({ hidden: [4] }).adapt(ssf()), [3]);
    const weights = stirred(small.init(random(1), 2));
    const x = tf.ones([1, 3]);
    const seen: number[][] = [];
    const tap = (_: readonly string[], __: tf.Tensor, output: tf.Tensor): tf.Tensor => {
      seen.push([...output.dataSync()]);
      return output;
    };
    const features = small.features(weights, x, tape(false, null, {}, tap).mode);
    expect([...features.dataSync()]).toEqual(seen[0]!.map((v) => Math.max(0, v)));
  });

  test("trains the model too where it says so, and freezes none of the adapters before it", () => {
    const frozen = (model: Model): string[] => {
      const small = network(model, [3]);
      return parameters(model, [3])
        .map(({ path }) => path)
        .filter((path) => small.frozen!(`model/${path}`));
    };
    expect(frozen(mlp({ hidden: [4] }).adapt(lora({ train: "all" })))).toEqual([]);
    expect(
      frozen(
        mlp({ hidden: [4] })
          .adapt(lora())
          .adapt(ssf()),
      ),
    ).toEqual(["2-dense/kernel", "2-dense/bias"]);
    expect(
      frozen(
        mlp({ hidden: [4] })
          .adapt(lora())
          .freeze("*adapters/lora")
          .adapt(lora()),
      ),
    ).toEqual(["2-dense/kernel", "2-dense/bias", "2-dense/adapters/lora/down", "2-dense/adapters/lora/up"]);
  });

  test("on no layer, or one that cannot be merged or come back from a record, is a sentence", () => {
    expect(() => parameters(mlp().adapt(lora({ on: "3-dense" })), [3])).toThrow(
      "adapt: lora: a filter that selects a parameter is required",
    );
    expect(() => parameters(mlp().adapt(prompt({ on: "*" })), [3])).toThrow(
      "a layer that takes and gives a sequence of one width",
    );
    const model = mlp({ hidden: [4] }).adapt(bottleneck({ on: "*" }));
    const big = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
    expect(() => merged(big)).toThrow("adapters that can be merged into weights are required, got bottleneck");
    const mine = adapter("mine", {}, "*", () => ({ init: () => ({}), output: (_own, _input, output) => output }));
    expect(() => modelFromJson(mlp().adapt(mine()).toJSON())).toThrow(
      'an adapter of the library is required, got "mine"',
    );
    expect(() => lora({ on: () => true })).toThrow("can stand in the record of a study");
  });
});

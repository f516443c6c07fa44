import { describe, expect, test } from "vitest";
import { mapTensors, paths, random, type Tree, tf } from "../../lib/engine/index.ts";
import {
  bottleneck,
  from,
  frozenParameters,
  lora,
  merged,
  mlp,
  net,
  network,
  parameters,
  parametersOf,
  prompt,
  resnet18,
  selected,
  trained,
  vit,
} from "../../lib/models/index.ts";
import { type Model, tape } from "../../lib/models/model.ts";
import { modelFromJson } from "../../lib/train/from-json.ts";
import { run, spec, stream } from "../strategies/support.ts";

const shape = [8, 8, 1];
const small = (): Model => vit({ patch: 4, width: 8, depth: 2, heads: 2 });
const x = (): tf.Tensor => random(1).uniforms([2, ...shape]);

/** A network whose every tensor is drawn, adapters' too. */
const drawn = (model: Model, input = shape) =>
  trained({
    model,
    input,
    weights: mapTensors(
      (t) => tf.add(t, random(t.size).uniforms(t.shape, -0.3, 0.3)),
      network(model, input).init(random(2), 3),
    ),
  });

describe("backbones are frozen and adapted by the names of their parts", () => {
  test("a vision transformer by blocks, by kinds, and by what its blocks are made of", () => {
    const paths = (model: Model): readonly string[] => frozenParameters(model, shape).model;
    expect(new Set(paths(small().freeze("block1")).map((path) => path.split("/")[0]))).toEqual(new Set(["block1"]));
    expect(paths(small().freeze({ kind: "embedding" }))).toEqual(["class/token", "positions/places"]);
    const sites = (model: Model): readonly string[] => [
      ...new Set(parameters(model, shape).flatMap(({ path }) => /^(.*)\/adapters\//.exec(path)?.[1] ?? [])),
    ];
    expect(sites(small().adapt(lora({ on: ["*query", "*value"] })))).toEqual([
      "block1/query",
      "block1/value",
      "block2/query",
      "block2/value",
    ]);
    expect(sites(small().adapt(bottleneck()))).toEqual(["block1/out", "block1/down", "block2/out", "block2/down"]);
    expect(sites(small().adapt(prompt({ length: 3 })))).toEqual(["block1", "block2"]);
  });

  test("a merged adapter leaves a plain vision transformer that gives the same", () => {
    const big = drawn(small().adapt(lora({ rank: 2 })));
    const plain = merged(big);
    const [a, b] = [big.predict(x()).dataSync(), plain.predict(x()).dataSync()];
    for (const [i, v] of a.entries()) expect(b[i]).toBeCloseTo(v, 5);
    expect(plain.model.toJSON()).toEqual(small().toJSON());
  });

  test("prompts change what a vision transformer answers, and no shape of it", () => {
    const model = small().adapt(prompt({ length: 3 }));
    const weights = network(model, shape).init(random(0), 3).model;
    const answer = (): number[] => [...model.apply(weights, x(), tape(false, null, {}).mode).dataSync()];
    const without = [
      ...small()
        .apply(weights, x(), tape(false, null, {}).mode)
        .dataSync(),
    ];
    expect(answer()).toHaveLength(2 * 8);
    expect(answer()).not.toEqual(without);
  });

  test("a residual network keeps its convolutions, whose low-rank changes are in the weights they run with", () => {
    const model = resnet18({ filters: 2 }).adapt(lora({ rank: 1, on: "stage1*" }));
    const big = drawn(model);
    const plain = merged(big);
    const [a, b] = [big.predict(x()).dataSync(), plain.predict(x()).dataSync()];
    for (const [i, v] of a.entries()) expect(b[i]).toBeCloseTo(v, 4);
    expect(
      selected("here", "*stage1*down", parametersOf(big.weights, big.structure.kindOf)).every(
        ({ kind }) => kind === "adapter",
      ),
    ).toBe(true);
  });
});

test("a model that begins from a network can be frozen and adapted; its record finds the network again", () => {
  const big = drawn(mlp({ hidden: [4] }), [3]);
  const model = from(big)
    .freeze("2-dense/kernel")
    .adapt(lora({ rank: 1 }))
    .freeze("head");
  const again = modelFromJson(JSON.parse(JSON.stringify(model)), [big]);
  expect(again.toJSON()).toEqual(model.toJSON());
  const params = again.init(random(7), [3]);
  const had = new Map(paths(big.weights.model as Tree).map(([path, t]) => [path, String(t.dataSync())]));
  for (const [path, t] of paths(params as Tree))
    expect(had.get(path) ?? String(t.dataSync())).toBe(String(t.dataSync()));
  expect(frozenParameters(again, [3])).toEqual({ model: ["2-dense/kernel", "2-dense/bias"], head: ["head"] });

  // one that was trained with an adapter keeps it, and the word of what is frozen
  const adapted = drawn(mlp({ hidden: [4] }).adapt(lora({ rank: 1 })), [3]);
  const next = from(adapted).adapt(lora({ rank: 2 }));
  expect(modelFromJson(JSON.parse(JSON.stringify(next)), [adapted]).toJSON()).toEqual(next.toJSON());
  expect(parameters(next, [3]).map(({ path }) => path.replace("2-dense/", ""))).toEqual([
    "kernel",
    "bias",
    "adapters/lora/down",
    "adapters/lora/up",
    "adapters/lora2/down",
    "adapters/lora2/up",
  ]);
});

test("a summary has a row for each layer with an adapter, with what that layer gives", () => {
  const rows = net()
    .conv(4, 3)
    .relu()
    .flatten()
    .dense(5)
    .adapt(lora({ rank: 2 }))
    .summary(shape);
  expect(rows.slice(-2)).toEqual([
    { layer: "lora on 1-conv", output: [8, 8, 4], parameters: 9 * 2 + 2 * 4 },
    { layer: "lora on 4-dense", output: [5], parameters: 256 * 2 + 2 * 5 },
  ]);
});

test("a frozen or adapted net says what it gives to the compiler, as a layer of another", () => {
  const inner = net()
    .dense(3)
    .adapt(lora({ rank: 1 }))
    .freeze("*kernel");
  expect(net().through(inner).dense(2).relu().features([4])).toEqual([2]);
});

test("a model that is a layer of another is as frozen as it says there", () => {
  const inner = (net().dense(3).dense(3) as unknown as Model).freeze("1-dense");
  const outer = net()
    .through(inner as never)
    .dense(2) as unknown as Model;
  const small = network(outer, [3]);
  expect(
    parameters(outer, [3])
      .map(({ path }) => path)
      .filter((path) => small.frozen?.(`model/${path}`)),
  ).toEqual(["1-through/1-dense/kernel", "1-through/1-dense/bias"]);
  expect(run(spec(stream({ needs: [] } as never), [], { model: outer })).weights.length).toBeGreaterThan(0);
});

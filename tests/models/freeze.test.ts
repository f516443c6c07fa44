import { describe, expect, test } from "vitest";
import { leaves, paths, type Tree, tf } from "../../lib/engine/index.ts";
import { freeze, mlp, type Net, net, not, parameters, resnet18, selected, trainOnly } from "../../lib/models/index.ts";
import type { Model, Params } from "../../lib/models/model.ts";
import { adam, sgd } from "../../lib/optim/index.ts";
import {
  agem,
  continualBackprop,
  ewc,
  icarl,
  l2Init,
  replay,
  shrinkAndPerturb,
  wa,
} from "../../lib/strategies/index.ts";
import { strategy } from "../../lib/strategies/strategy.ts";
import { modelFromJson } from "../../lib/train/from-json.ts";
import { open } from "../../lib/train/session.ts";
import { specHash } from "../../lib/train/spec.ts";
import { advance, run, spec, stream } from "../strategies/support.ts";

const small = net().conv(2, 3).batchNorm().relu().flatten().dense(4).layerNorm() as unknown as Model;
const pathsOf = (filter: Parameters<typeof selected>[1], model = small, shape = [4, 4, 1]): string[] =>
  selected("here", filter, parameters(model, shape)).map(({ path }) => path);
const told = stream({ needs: [] } as never);

/** The tensors of a session's weights by path, as plain numbers. */
const held = (weights: unknown): Map<string, string> =>
  new Map(paths(weights as Tree).map(([path, leaf]) => [path, String(leaf.dataSync())]));

describe("a filter", () => {
  test("selects by path, by the beginning of one, by stars, by pattern, by kind, by function, and any of a list", () => {
    expect(pathsOf("1-conv/kernel")).toEqual(["1-conv/kernel"]);
    expect(pathsOf("1-conv")).toEqual(["1-conv/kernel", "1-conv/bias"]);
    expect(pathsOf("*/bias")).toEqual(["1-conv/bias", "5-dense/bias"]);
    expect(pathsOf("*Norm")).toEqual([
      "2-batchNorm/scale",
      "2-batchNorm/shift",
      "6-layerNorm/scale",
      "6-layerNorm/shift",
    ]);
    expect(pathsOf(/dense|shift/)).toEqual([
      "2-batchNorm/shift",
      "5-dense/kernel",
      "5-dense/bias",
      "6-layerNorm/shift",
    ]);
    expect(pathsOf({ kind: ["norm"] })).toEqual(pathsOf("*Norm"));
    expect(pathsOf(({ shape }) => shape.length === 4)).toEqual(["1-conv/kernel"]);
    expect(pathsOf(["5-dense/kernel", { kind: "bias" }])).toEqual(["1-conv/bias", "5-dense/kernel", "5-dense/bias"]);
    expect(pathsOf(not({ kind: ["norm", "bias"] }))).toEqual(["1-conv/kernel", "5-dense/kernel"]);
  });

  test("does not take the beginning of a name for a name", () => {
    expect(
      pathsOf("stage1-block1-body", resnet18({ filters: 2 }), [8, 8, 1]).every((p) =>
        p.startsWith("stage1-block1-body/"),
      ),
    ).toBe(true);
    expect(() => pathsOf("stage1-block1-bod", resnet18({ filters: 2 }), [8, 8, 1])).toThrow("stage1-block1-body");
  });

  test("that selects nothing is an error that names the nearest paths, or the kinds there are", () => {
    expect(() => pathsOf("1-cnv")).toThrow(
      'here: a filter that selects a parameter is required, got "1-cnv"; the nearest paths are 1-conv, 5-dense,',
    );
    expect(() => pathsOf({ kind: "gate" })).toThrow("there are the kinds weight, bias, norm");
    expect(() => pathsOf({ kind: "wieght" as never })).toThrow("a kind of parameter is required (weight, bias");
    expect(() => pathsOf({ kinds: "bias" } as never)).toThrow("a filter is required");
  });

  test("knows the kinds that layers declare", () => {
    const gpt = net().embedding(5, 4).transformer(2) as unknown as Model;
    expect(pathsOf({ kind: "embedding" }, gpt, [3])).toEqual([
      "1-embedding/tokens/kernel",
      "1-embedding/places/kernel",
    ]);
    expect(pathsOf({ kind: "norm" }, gpt, [3])).toHaveLength(4);
  });
});

describe.each([
  ["descent with momentum and decay", () => sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 })],
  ["adam with decay", () => adam({ lr: 0.05, weightDecay: 0.1 })],
])("under %s", (_, optimizer) => {
  test.each([
    ["no strategy", []],
    ["shrinking and perturbing", [shrinkAndPerturb({ shrink: 0.5, deviation: 0.1 })]],
    ["resetting units", [continualBackprop({ rate: 0.5, maturity: 1 })]],
    ["a pull to the start, and rehearsal", [l2Init({ lambda: 1 }), replay({ capacity: 6 })]],
    ["penalties", [ewc({ lambda: 10 })]],
    ["projection", [agem({ capacity: 6 })]],
    ["rescaled heads", [wa({ capacity: 6 })]],
    ["exemplars", [icarl({ capacity: 6 })]],
  ])("frozen parameters stay bit for bit with %s, the others move", (_, strategies) => {
    const session = open(
      spec(told, strategies, {
        optimizer: optimizer(),
        model: mlp({ hidden: [6, 5] }).freeze(["2-dense", "*4-dense/bias"]),
      }),
      3,
      "test",
    );
    const before = held(session.learner.weights.model);
    advance(session);
    const after = held(session.learner.weights.model);
    const same = [...before].filter(([path, numbers]) => after.get(path) === numbers).map(([path]) => path);
    session.dispose();
    expect(same).toEqual(["2-dense/kernel", "2-dense/bias", "4-dense/bias"]);
  });
});

describe("a frozen model", () => {
  const frozen = mlp({ hidden: [6, 5] }).freeze("2-dense");

  test("has optimizer state for what is trained alone", () => {
    const sizes = (model: Model): number[] => {
      const session = open(spec(told, [], { model, optimizer: sgd({ momentum: 0.9 }) }), 0, "test");
      const found = leaves(session.learner.optimizer).map((t) => t.size);
      session.dispose();
      return found;
    };
    expect(sizes(frozen)).toEqual([30, 5, 30, 6]); // 6 × 5 and 5 of the second layer, 5 × 6 and 6 of the head
    expect(sizes(mlp({ hidden: [6, 5] }))).toHaveLength(6);
  });

  test("moves the others as a strategy does that puts the layer back after every step", () => {
    const putBack = strategy("putBack", {}, () => ({
      weights: (_state, { before, after }) => ({
        ...after,
        model: { ...after.model, "2-dense": before.model["2-dense"]! },
      }),
    }));
    const one = run(spec(told, [], { model: frozen }));
    const other = run(spec(told, [putBack()], { model: mlp({ hidden: [6, 5] }) }));
    expect(one.weights).toEqual(other.weights);
  });

  test("is the same after JSON, and its record is another's; that of a model that is not frozen has no word of it", () => {
    const model = resnet18({ filters: 2 })
      .freeze(["stem", /block1/i], { still: true })
      .trainOnly(not({ kind: "norm" }))
      .freeze("head");
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).toJSON()).toEqual(model.toJSON());
    expect(model.toJSON().changes).toEqual([
      { freeze: ["stem", { pattern: "block1", flags: "i" }], still: true },
      { trainOnly: { not: { kind: "norm" } } },
      { freeze: "head" },
    ]);
    expect(specHash(spec(told, [], { model: frozen }))).not.toBe(specHash(spec(told, [])));
    expect("changes" in mlp().toJSON()).toBe(false);
    const said = net().flatten().dense(3).freeze("2-dense");
    expect(modelFromJson(JSON.parse(JSON.stringify(said))).toJSON()).toEqual(said.toJSON());
  });

  test("refuses a function, which no record can hold, and before any training a filter that selects nothing", () => {
    expect(() => freeze(mlp(), () => true)).toThrow("can stand in the record of a study is required, got a function");
    expect(() => open(spec(told, [], { model: mlp().freeze("3-dense") }), 0, "test")).toThrow(
      "the nearest paths are 2-dense",
    );
    expect(() => open(spec(told, [], { model: mlp().freeze(["*", "head"]) }), 0, "test")).toThrow(
      "at least one parameter that is trained",
    );
  });

  test("keeps its head as it begins where the head is named, and trains it otherwise", () => {
    const moved = (model: Model): boolean => {
      const session = open(spec(told, [], { model }), 0, "test");
      const before = String(held(session.learner.weights.head).get("kernel"));
      advance(session, 20);
      const after = String(held(session.learner.weights.head).get("kernel"));
      session.dispose();
      return before !== after;
    };
    expect(moved(trainOnly(mlp({ hidden: [4] }), { kind: "bias" }))).toBe(true);
    expect(moved(mlp({ hidden: [4] }).freeze("head"))).toBe(false);
  });

  test("goes on with its running statistics, unless it is to be still", () => {
    const normed = net().flatten().dense(4).batchNorm().relu() as unknown as Model;
    const means = (model: Model): string => {
      const session = open(spec(told, [], { model }), 0, "test");
      advance(session, 8);
      const { mean } = session.learner.statistics["3-batchNorm"] as Params;
      const text = String((mean as tf.Tensor).dataSync());
      session.dispose();
      return text;
    };
    expect(means(normed.freeze({ kind: "norm" }))).not.toBe("0,0,0,0");
    expect(means(normed.freeze({ kind: "norm" }, { still: true }))).toBe("0,0,0,0");
  });

  test("goes on bit for bit from a saved state, and holds no tensor more from step to step", () => {
    const given = spec(told, [replay({ capacity: 6 })], { model: frozen, optimizer: adam() });
    const whole = run(given, 1);
    const session = open(given, 1, "test");
    advance(session, 10);
    const bytes = session.save();
    const tensors = tf.memory().numTensors;
    advance(session, 16);
    expect(tf.memory().numTensors).toBe(tensors);
    session.dispose();
    expect(run(given, 1, bytes).weights).toEqual(whole.weights);
  });
});

test("methods are there on every model, also one said layer by layer", () => {
  const said: Net<never, never> = net() as never;
  expect(typeof said.freeze).toBe("function");
  expect(typeof resnet18().trainOnly).toBe("function");
});

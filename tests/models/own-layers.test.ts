/** Layers that the library has not, and strategies that look into layers. */
import {
  blobs,
  type Chained,
  classes,
  composite,
  continualBackprop,
  gpm,
  type Inner,
  innerModel,
  type Model,
  modelFromJson,
  net,
  network,
  type Params,
  random,
  sameLayer,
  tape,
  tf,
} from "thalweg";
import { describe, expect, expectTypeOf, test } from "vitest";
import { unseenParts } from "../../lib/runs/parts/key.ts";
import { fullyConnected } from "../../lib/strategies/parts/per-example.ts";

const quiet = { quiet: true, record: false } as const;
const run = (model: Model, params: Params, x: tf.Tensor, training = false): number[] => [
  ...tf
    .tidy(() => model.apply(params, x, tape(training, random(1), model.statistics(x.shape.slice(1))).mode))
    .dataSync(),
];

describe("strategies that look into layers", () => {
  test("take dense layers in a graph for what they are, and those at places of a sequence not for layers of vectors", () => {
    const dense = (model: Model, input: readonly number[]): boolean => {
      const own = network(model, input);
      return fullyConnected(own, own.init(random(0), 2), own.statistics());
    };
    expect(
      dense(
        net().residual((n) => n.dense(3).relu()),
        [3],
      ),
    ).toBe(true);
    expect(dense(net().dense(4).flatten(), [5, 3])).toBe(false);
    expect(
      dense(
        net().shared(2, (n) => n.dense(3)),
        [3],
      ),
    ).toBe(false);
  });

  test("that need layers in a row refuse others by name", async () => {
    const model = net().residual((n) => n.dense(2).relu());
    await expect(
      classes(blobs({ dimensions: 2 }))
        .split(2)
        .learn(model)
        .by(continualBackprop())
        .run(quiet),
    ).rejects.toThrow(/continualBackprop: dense layers.* in a row are required, got residual/);
    await expect(
      classes(blobs({ dimensions: 2 }))
        .split(2)
        .learn(model)
        .by(gpm())
        .run(quiet),
    ).resolves.toBeDefined();
  });
});

describe("a layer of one's own", () => {
  const scaled = sameLayer("scaled", (by: number) => ({
    options: { by },
    shape: (input) => input,
    apply: (x) => tf.mul(x, by),
  }));
  const twice = composite(
    "twice",
    (inner: Inner) => ({
      options: {},
      parts: [{ name: "", model: innerModel(inner) }],
      flow: (x, { pass }) => pass(0, pass(0, x, 0), 1),
    }),
    (_, [inner]) => [inner!],
  );
  const mine = net.use({ scaled, twice });

  test("is a method of nets, typed, also inside of layers", () => {
    const model = mine()
      .scaled(2)
      .residual((n) => n.scaled(10))
      .twice(net.use({ scaled })().scaled(3));
    expect(run(model, {}, tf.tensor2d([[1, 2]]))).toEqual([198, 396]);
    // @ts-expect-error a number is required
    expect(mine().scaled("much").spec.layers).toHaveLength(1);
    expectTypeOf(mine().conv(2, 3).scaled(2)).toExtend<Chained<"image", "image">>();
    const read = modelFromJson(JSON.parse(JSON.stringify(model)), [], { scaled, twice });
    expect(run(read, {}, tf.tensor2d([[1, 2]]))).toEqual([198, 396]);
    expect(() => modelFromJson(model.spec)).toThrow('a layer of the library is required, got "scaled"');
  });

  test("is found inside of layers by what looks for code that a record does not hold", () => {
    const model = mine().residual((n) => n.dense(2).branch([(m) => m.scaled(2), (m) => m], { join: "add" }));
    expect(unseenParts(classes(blobs()).learn(model as Model).spec)).toEqual(["scaled"]);
  });

  test("has a name that the library has not, and its own", () => {
    const dense = sameLayer("dense", () => ({ options: {}, shape: (input) => input, apply: (x) => x }));
    expect(() => net.use({ dense })).toThrow('use: a layer that the library does not have is required, got "dense"');
    expect(() => net.use({ other: scaled })).toThrow(
      'use: layers under their own names are required, got "scaled" as "other"',
    );
  });
});

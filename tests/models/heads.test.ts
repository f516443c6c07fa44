import {
  blobs,
  classes,
  cnn,
  disposeTree,
  gpm,
  type HeadLayer,
  headed,
  importOnnx,
  leaves,
  linear,
  lucir,
  mlp,
  modelFromJson,
  naive,
  net,
  network,
  normalized,
  random,
  sgd,
  tf,
  wa,
} from "thalweg";
import { describe, expect, test } from "vitest";

const quiet = { quiet: true, record: false } as const;

describe.each([["linear", linear()] as const, ["normalized", normalized({ length: 0.5 })] as const])(
  "the head %s",
  (_, head: HeadLayer) => {
    test("keeps its old columns when it grows, and then equals one made whole", () => {
      const grown = network(headed(mlp({ hidden: [5] }), head), [4]);
      const whole = grown.init(random(9), 6);
      const wider = grown.grow(grown.init(random(9), 2), random(9), 6);
      leaves(whole.head).forEach((tensor, i) => {
        expect([...leaves(wider.head)[i]!.dataSync()]).toEqual([...tensor.dataSync()]);
      });
      disposeTree([whole, wider] as never);
    });

    test("is made again from a model's JSON, whichever the model", () => {
      for (const model of [mlp({ hidden: [3] }), cnn({ filters: [2] }), net().dense(3).relu()]) {
        const own = headed(model as never, head);
        expect(modelFromJson(JSON.parse(JSON.stringify(own))).head!.spec).toEqual(head.spec);
        expect(JSON.parse(JSON.stringify(modelFromJson(JSON.parse(JSON.stringify(own)))))).toEqual(own.spec);
      }
    });
  },
);

describe("a head of one length", () => {
  const study = () =>
    classes(blobs({ dimensions: 3, classes: 4 }))
      .split(2)
      .learn(headed(mlp({ hidden: [4] }), normalized({ length: 0.5 })));

  test("gives the product with columns of that length, worked by hand", () => {
    const { apply } = normalized({ length: 2 });
    const direction = tf.tensor2d([
      [3, 0],
      [4, -5],
    ]);
    // columns (3, 4)/5 and (0, −1), times 2: (1, 2) gives 2·(3 + 8)/5 and −4
    const [first, second] = apply({ direction }, tf.tensor2d([[1, 2]])).dataSync();
    expect(first).toBeCloseTo(4.4, 5);
    expect(second).toBeCloseTo(-4, 5);
  });

  test("keeps its lengths through training, as layers and in an ONNX file", async () => {
    const run = await study()
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 40 })
      .run(quiet);
    const after = await run.network();
    const x = tf.tensor2d([
      [1, 0, 0],
      [0, -1, 2],
    ]);
    const want = after.predict(x).dataSync();
    const onnx = importOnnx(after.toOnnx())(x)[0]!.dataSync();
    want.forEach((value, i) => {
      expect(onnx[i]!).toBeCloseTo(value, 5);
    });
    const weights = after.toLayers().getLayer("logits").getWeights();
    expect(weights.map(({ shape }) => shape)).toEqual([[4, 4]]);
    for (const length of tf.sqrt(tf.sum(tf.square(weights[0]!), 0)).dataSync()) expect(length).toBeCloseTo(0.5, 5);
    after.dispose();
  });

  test("is refused by strategies that work on the kernel of a linear head", async () => {
    for (const strategy of [lucir(), wa(), gpm()])
      await expect(study().by(strategy).run(quiet)).rejects.toThrow(
        /a (linear head|model of dense layers) is required/,
      );
    await expect(study().by(naive()).run(quiet)).resolves.toBeDefined();
  });

  test("says what length it takes", () => {
    expect(() => normalized({ length: 0 })).toThrow("normalized: a length above 0 is required, got 0");
  });
});

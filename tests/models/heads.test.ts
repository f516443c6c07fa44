import {
  adam,
  blobs,
  classes,
  cnn,
  disposeTree,
  fromText,
  gpm,
  gpt,
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
  sequence,
  sgd,
  tf,
  tied,
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

describe("a head whose columns are the tokens'", () => {
  const model = headed(gpt({ tokens: 5, width: 4, depth: 1, heads: 2 }), tied());

  test("gives the product with their vectors, as many as there are classes, and trains a bias", () => {
    const whole = network(model, [3]);
    const weights = whole.init(random(1), 3);
    const features = tf.tensor3d([[[1, 0, 0, 2]]]);
    const { embedding } = weights.model as never as { embedding: { tokens: { kernel: tf.Tensor2D } } };
    const rows = embedding.tokens.kernel.arraySync();
    const logits = [...whole.logits({ ...weights, head: { bias: tf.tensor1d([0, 1, 0]) } }, features).dataSync()];
    logits.forEach((logit, i) => {
      expect(logit).toBeCloseTo(rows[i]![0]! + 2 * rows[i]![3]! + (i === 1 ? 1 : 0), 6);
    });
    expect(logits.length).toBe(3);
    expect(whole.grow(weights, random(1), 5).head.bias!.size).toBe(5);
  });

  test("is made again from JSON, and says what it needs", () => {
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
    const many = network(model, [3]);
    const weights = many.init(random(1), 6);
    expect(() => many.logits(weights, tf.zeros([1, 3, 4]))).toThrow("of at least 6 tokens with 4 numbers each");
    const none = network(headed(mlp({ hidden: [4] }), tied()), [4]);
    expect(() => none.logits(none.init(random(1), 2), tf.zeros([1, 4]))).toThrow(
      'tied: an embedding [tokens, units] at "embedding/tokens/kernel" of the model is required, got nothing',
    );
  });

  test("learns what comes next in a text, the bias staying where it is if it is frozen", async () => {
    const data = fromText("abcabcabd".repeat(60), { length: 8 });
    const small = headed(gpt({ tokens: 4, width: 16, depth: 1, heads: 2 }), tied()).freeze("head");
    const run = await sequence(data, 1)
      .learn(small)
      .with(adam({ lr: 0.01 }))
      .train({ epochs: 12 })
      .run(quiet);
    expect(run.matrix().values[0]![0]).toBeGreaterThan(0.8);
    const { weights } = await run.network();
    expect([...(weights.head.bias as tf.Tensor).dataSync()]).toEqual([0, 0, 0, 0]);
  });
});

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
        /a (linear head|model of dense layers and convolutions) is required/,
      );
    await expect(study().by(naive()).run(quiet)).resolves.toBeDefined();
  });

  test("says what length it takes", () => {
    expect(() => normalized({ length: 0 })).toThrow("normalized: a length above 0 is required, got 0");
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cct,
  cnn,
  convNext,
  disposeTree,
  gpt,
  importOnnx,
  leaves,
  loadNetwork,
  type Model,
  mlp,
  net,
  network,
  random,
  resnet,
  resnet18,
  saveNetwork,
  tape,
  tf,
  trained,
  unet,
  valueAndGrad,
  vit,
  type Weights,
} from "thalweg";
import { describe, expect, expectTypeOf, test } from "vitest";
import { members } from "../support/members.ts";

const backbones = (await members("models/backbones")).map(
  ({ name, exports }) => [name, exports[name] as () => Model] as const,
);

const shapes = [[16, 16, 1], [12], [12, 3]];
const fits = (model: Model, shape: readonly number[]): boolean => {
  try {
    return model.features(shape).length > 0;
  } catch {
    return false;
  }
};

describe.each(backbones)("the backbone %s", (name, make) => {
  const model = make();
  const shape = shapes.find((shape) => fits(model, shape))!;

  test("is named after its file and is plain JSON", () => {
    expect(model.spec.name).toBe(name);
    expect(JSON.parse(JSON.stringify(model))).toEqual(model.spec);
  });

  test("gives features of the shape it says, the same from the same seed", () => {
    const x = random(1).uniforms([3, ...shape]);
    const run = (): number[] => {
      const params = model.init(random(7), shape);
      const out = tf.tidy(() => model.apply(params, x, tape(false, null, model.statistics(shape)).mode));
      expect(out.shape).toEqual([3, ...model.features(shape)]);
      const values = [...out.dataSync()];
      out.dispose();
      disposeTree(params);
      return values;
    };
    const first = run();
    expect(first.every(Number.isFinite)).toBe(true);
    expect(run()).toEqual(first);
    x.dispose();
  });

  test("counts the parameters it makes", () => {
    const params = model.init(random(0), shape);
    const made = leaves(params).reduce((sum, t) => sum + t.size, 0);
    expect(model.summary(shape).reduce((sum, row) => sum + row.parameters, 0)).toBe(made);
    disposeTree(params);
  });
});

describe.each(backbones)("a network of %s", (_, make) => {
  test("is the same after saving and loading, and as a file of ONNX for any number of examples", () => {
    const model = make();
    const input = shapes.find((shape) => fits(model, shape))!;
    const weights = network(model, input).init(random(3), 3);
    const made = trained({ model, input, weights, statistics: model.statistics(input) });
    const folder = mkdtempSync(join(tmpdir(), "thalweg-test-"));
    try {
      saveNetwork(made, folder);
      const loaded = loadNetwork(folder);
      const x = random(1).uniforms([2, ...input]);
      const [before, after, elsewhere] = [made.predict(x), loaded.predict(x), importOnnx(loaded.toOnnx())(x)[0]!];
      expect(loaded.checksum).toBe(made.checksum);
      expect([...after.dataSync()]).toEqual([...before.dataSync()]);
      const size = Math.max(...before.dataSync().map(Math.abs));
      expect(Math.max(...tf.sub(before, elsewhere).dataSync().map(Math.abs))).toBeLessThan(1e-5 * Math.max(1, size));
      for (const each of [made, loaded]) each.dispose();
      disposeTree([weights, x, before, after, elsewhere]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("backbones of published sizes", () => {
  const count = (model: Model, input: readonly number[], classes: number): number => {
    const weights = network(model, input).init(random(0), classes);
    const sum = leaves(weights).reduce((all, { size }) => all + size, 0);
    disposeTree(weights as never);
    return sum;
  };

  test("have as many parameters as is published of them", () => {
    // Hassani et al. 2021, table 1: CCT-2/3×2 has 0.28 million, CCT-7/3×1 3.76 million, for ten classes
    expect(count(cct(), [32, 32, 3], 10) / 1e6).toBeCloseTo(0.28, 2);
    const seven = cct({ depth: 7, width: 256, heads: 4, widen: 2, convolutions: 1 });
    expect(count(seven, [32, 32, 3], 10) / 1e6).toBeCloseTo(3.76, 2);
    // torchvision's residual network of 18 layers, and the tiny vision transformer of DeiT (arXiv:2012.12877, table 1: 5 million)
    expect(count(resnet({ filters: 64, stem: "large" }), [224, 224, 3], 1000)).toBe(11_689_512);
    expect(count(vit({ patch: 16, width: 192, depth: 12, heads: 3 }), [224, 224, 3], 1000)).toBe(5_717_416);
    // He et al. 2016, table 6: 0.27 million for 20 layers on small images
    expect(count(resnet({ depth: 20, filters: 16 }), [32, 32, 3], 10) / 1e6).toBeCloseTo(0.27, 2);
  });

  test("say what they need", () => {
    expect(() => resnet({ depth: 19 })).toThrow(
      "resnet: a depth of 18, 34, 50, 101, 152 or 6n + 2 (20, 32, 44, 56, 110) is required, got 19",
    );
    expect(() => vit({ classToken: false })).toThrow("a class token is required where the features are its, got none");
    expect(() => vit({ patch: 5 }).features([28, 28, 1])).toThrow("multiples of 5 is required, got shape [28,28,1]");
    expect(() => convNext({ filters: [8], depths: [1, 1] })).toThrow("got 1 numbers of filters and 2 depths");
    expect(() => gpt({ context: 8 }).features([9])).toThrow("sequences of at most 8 places are required, got 9");
    expect(() => unet().features([30, 30, 1])).toThrow();
  });
});

describe("the slim residual network", () => {
  const parameters = (filters: number, classes: number): number => {
    const net = network(resnet18({ filters }), [32, 32, 3]);
    const weights = net.init(random(0), classes);
    const count = leaves(weights).reduce((sum, { size }) => sum + size, 0);
    disposeTree(weights as never);
    return count;
  };

  test("has as many parameters as is published of it, and as torchvision's of 64 filters but for the stem", () => {
    expect(parameters(20, 100)).toBe(1_093_140 + 160 * 100 + 100); // 1.09 million and a head
    // torchvision's has 11,689,512 for 1000 classes with a stem of 7×7: 64 · 3 · (49 − 9) more
    expect(parameters(64, 1000)).toBe(11_689_512 - 64 * 3 * 40);
  });

  test("has the gradient that finite differences give, with its running statistics and in training", () => {
    const small = network(resnet18({ filters: 2 }), [16, 16, 1]);
    const weights = small.init(random(3), 3);
    const x = random(4).uniforms([6, 16, 16, 1]);
    for (const training of [false, true]) {
      const loss = (w: Weights): tf.Tensor =>
        tf.mean(tf.square(small.logits(w, small.features(w, x, tape(training, null, small.statistics()).mode))));
      const { grads } = valueAndGrad(loss, weights);
      const tensors = leaves(weights);
      const slopes = leaves(grads).map((g) => g.dataSync() as Float32Array);
      // along the gradient itself: the slope there is its length
      const slope = Math.sqrt(slopes.reduce((sum, g) => sum + g.reduce((s, v) => s + v * v, 0), 0));
      const moved = (by: number): number => {
        const changed = tensors.reduce(
          (tree, t, i) =>
            replaced(
              tree,
              t,
              tf.add(
                t,
                tf.tensor(
                  slopes[i]!.map((v) => (by * v) / slope),
                  t.shape,
                ),
              ),
            ),
          weights,
        );
        return loss(changed).dataSync()[0]!;
      };
      const step = 3e-4; // batch normalisation bends the loss
      expect(Math.abs(slope)).toBeGreaterThan(0.01);
      expect((moved(step) - moved(-step)) / (2 * step) / slope).toBeCloseTo(1, 1);
    }
  });
});

describe("a network", () => {
  test("has the gradient that finite differences give", () => {
    const small = network(net().conv(2, 3).tanh().pool(2, { keep: "mean" }).flatten().dense(4).tanh(), [4, 4, 1]);
    const weights = small.init(random(3), 3);
    const x = random(4).uniforms([2, 4, 4, 1]);
    const loss = (w: Weights): tf.Tensor =>
      tf.mean(tf.square(small.logits(w, small.features(w, x, tape(false, null, {}).mode))));
    const { grads } = valueAndGrad(loss, weights);
    const flat = leaves(weights);
    const flatGrads = leaves(grads);
    const step = 1e-2;
    flat.forEach((tensor, i) => {
      const values = tensor.dataSync().slice();
      const at = Math.floor(values.length / 2);
      const moved = (by: number): number => {
        const other = values.slice();
        other[at] = values[at]! + by;
        const changed = replaced(weights, tensor, tf.tensor(other, tensor.shape));
        return loss(changed).dataSync()[0]!;
      };
      const numeric = (moved(step) - moved(-step)) / (2 * step);
      expect(flatGrads[i]!.dataSync()[at]!).toBeCloseTo(numeric, 3);
    });
  });

  test("keeps the old columns when its head grows, and a grown head equals one made whole", () => {
    const grown = network(mlp({ hidden: [5] }), [4]);
    const whole = grown.init(random(9), 6);
    const part = grown.init(random(9), 2);
    const wider = grown.grow(part, random(9), 6);
    expect([...(wider.head.kernel as tf.Tensor).dataSync()]).toEqual([...(whole.head.kernel as tf.Tensor).dataSync()]);
    expect([...(wider.head.bias as tf.Tensor).dataSync()]).toEqual([...(whole.head.bias as tf.Tensor).dataSync()]);
  });

  test("writes running statistics in training only, the unbiased variance as PyTorch keeps it", () => {
    const model = net().batchNorm({ momentum: 1 }).flatten();
    const x = tf.tensor2d([[1], [2], [4]]);
    const run = tape(true, null, model.statistics([1]));
    const y = model.apply(model.init(random(0), [1]), x, run.mode);
    const stats = run.written() as { "1-batchNorm": { mean: tf.Tensor; variance: tf.Tensor } };
    expect(stats["1-batchNorm"].mean.dataSync()[0]).toBeCloseTo(7 / 3, 5);
    expect(stats["1-batchNorm"].variance.dataSync()[0]).toBeCloseTo(7 / 3, 5); // ((4/3)² + (1/3)² + (5/3)²) / 2
    expect(y.dataSync()[0]).toBeCloseTo((1 - 7 / 3) / Math.sqrt(14 / 9 + 1e-5), 4);
  });

  test("normalises by known means and deviations, one for all or one for each channel", () => {
    const x = tf.tensor3d([1, 2, 3, 4], [1, 2, 2]);
    const by = (model: Model): number[] => [...model.apply({}, x, tape(false, null, {}).mode).dataSync()];
    expect(by(net().normalise(1, 2))).toEqual([0, 0.5, 1, 1.5]);
    expect(by(net().normalise([1, 2], [1, 4]))).toEqual([0, 0, 2, 0.5]);
    expect(() => net().normalise([0, 0, 0], 1).features([4, 4, 2])).toThrow(
      "one for each of the 2 channels is required, got 3",
    );
    expect(() => net().normalise(0, [1, 0])).toThrow("deviations above 0 are required, got 1,0");
  });

  test("drops a share of numbers in training only, from the run's own noise", () => {
    const model = net().dropout(0.25);
    const x = tf.ones([1, 10_000]);
    const kept = model.apply({}, x, tape(true, random(5), {}).mode).dataSync();
    const zeros = kept.filter((v) => v === 0).length;
    expect(Math.abs(zeros / 10_000 - 0.25)).toBeLessThan(0.02);
    expect(kept.find((v) => v !== 0)).toBeCloseTo(1 / 0.75, 5);
    expect([...model.apply({}, x, tape(true, random(5), {}).mode).dataSync()]).toEqual([...kept]);
    expect(
      model
        .apply({}, x, tape(false, null, {}).mode)
        .dataSync()
        .every((v) => v === 1),
    ).toBe(true);
  });
});

describe("a model that does not fit", () => {
  test("says which layer, and what to do", () => {
    expect(() => net().pool(2).features([1, 1, 1])).toThrow(
      "net, layer 1: pool: an image of at least 2×2 is required, got 1×1; pool less or earlier",
    );
    expect(() => mlp({ hidden: [0] })).toThrow("dense: units must be a whole number of at least 1, got 0");
    expect(() => net().dropout(1)).toThrow("dropout: a share from 0 up to but not 1 is required, got 1");
    expect(() => network(net().conv(2, 3), [4, 4, 1]).init(random(0), 2)).toThrow(
      "end the model with flatten() or a dense layer",
    );
  });

  test("does not compile, with a sentence", () => {
    const flat = net().flatten();
    // @ts-expect-error this layer takes image input, and at this point of the net there is vector output
    expect(() => flat.conv(3, 3).features([4, 4, 1])).toThrow("an image [height, width, channels] is required");
    expectTypeOf(
      flat.conv["~why"],
    ).toEqualTypeOf<"this layer takes image input, and at this point of the net there is vector output; put it before flatten()">();
    expectTypeOf(net().conv(3, 3).relu()).toExtend<Model<"image">>();
    expectTypeOf(cnn()).toEqualTypeOf<Model<"image">>();
  });
});

function replaced(tree: Weights, old: tf.Tensor, by: tf.Tensor): Weights {
  const visit = (node: unknown): unknown =>
    node === old
      ? by
      : node instanceof tf.Tensor
        ? node
        : Object.fromEntries(Object.entries(node as object).map(([k, v]) => [k, visit(v)]));
  return visit(tree) as Weights;
}

/** Models as graphs: what a chain of layers cannot say. Values are worked by hand. */

import {
  type Chained,
  classes,
  fromArrays,
  importOnnx,
  joinInputs,
  leaves,
  type Model,
  mlp,
  modelFromJson,
  net,
  network,
  type Params,
  random,
  resnet18,
  sgd,
  tape,
  tf,
  valueAndGrad,
  type Weights,
} from "thalweg";
import { describe, expect, expectTypeOf, test } from "vitest";

const quiet = { quiet: true, record: false } as const;
const run = (model: Model, params: Params, x: tf.Tensor, training = false): number[] => [
  ...tf
    .tidy(() => model.apply(params, x, tape(training, random(1), model.statistics(x.shape.slice(1))).mode))
    .dataSync(),
];
/** The paths of the tensors of a tree. */
const names = (params: Params): string[] =>
  Object.entries(params).flatMap(([name, node]) =>
    node instanceof tf.Tensor ? [name] : names(node as Params).map((inner) => `${name}/${inner}`),
  );
const kernel = (rows: number[][], bias?: number[]): Params => ({
  kernel: tf.tensor2d(rows),
  ...(bias && { bias: tf.tensor1d(bias) }),
});
const bare = { bias: false } as const;

describe("a model may have", () => {
  const x = tf.tensor2d([[1, -2]]);

  test("skips: the sum of what layers give and of what passes by", () => {
    const model = net().residual((n) => n.dense(2).relu());
    // (1, −2)·[[1, 2], [3, 4]] + (6, 1) = (1, −5), and (1, 0) + (1, −2)
    const params = {
      "1-residual": {
        "1-dense": kernel(
          [
            [1, 2],
            [3, 4],
          ],
          [6, 1],
        ),
      },
    };
    expect(run(model, params, x)).toEqual([2, -2]);
  });

  test("skips with layers of their own, where the shape changes", () => {
    const model = net().residual((n) => n.dense(1, bare), { skip: (n) => n.dense(1, bare) });
    const params = { "1-residual": { "1-dense": kernel([[1], [1]]), skip: { "1-dense": kernel([[10], [1]]) } } };
    expect(run(model, params, x)).toEqual([7]);
  });

  test.each([
    ["concat", [1, -2, 3, -6]],
    ["add", [4, -8]],
    ["multiply", [3, 12]],
  ] as const)("branches joined by %s", (join, wanted) => {
    const model = net().branch([(n) => n, (n) => n.dense(2, bare)], { join });
    expect(
      run(
        model,
        {
          "1-branch": {
            "2-way": {
              "1-dense": kernel([
                [3, 0],
                [0, 3],
              ]),
            },
          },
        },
        x,
      ),
    ).toEqual(wanted);
  });

  test("a gate for each channel of an image, made of the image", () => {
    const model = net().branch([(n) => n, (n) => n.conv(2, 2, { pad: "valid", ...bare }).flatten()], {
      join: "multiply",
    });
    const picture = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
    const pick = {
      kernel: tf.tensor4d(
        [...Array(16).keys()].map((i) => (i === 0 || i === 15 ? 1 : 0)),
        [2, 2, 2, 2],
      ),
    };
    // the gates are the first number, 1, and the last, 8
    expect(run(model, { "1-branch": { "2-way": { "1-conv": pick } } }, picture)).toEqual([1, 16, 3, 32, 5, 48, 7, 64]);
  });

  test("values read across layers and nesting, as a U-Net does", () => {
    const model = net()
      .tap("outer")
      .residual((n) => n.dense(2, bare).tap("inner").read("outer", { join: "add" }))
      .read("inner")
      .read("outer", { join: "concat" });
    const double = {
      "2-residual": {
        "1-dense": kernel([
          [2, 0],
          [0, 2],
        ]),
      },
    };
    // inner (2, −4); plus outer (3, −6); plus what passes by (4, −8)
    expect(run(model, double, x)).toEqual([4, -8, 2, -4, 1, -2]);
  });

  test("a layer used several times over with one set of weights, or repeated with weights of their own", () => {
    const shared = net().repeat(3, (n) => n.dense(2, bare), { shared: true });
    expect(
      run(
        shared,
        {
          "1-shared": {
            "1-dense": kernel([
              [2, 0],
              [0, 3],
            ]),
          },
        },
        x,
      ),
    ).toEqual([8, -54]);
    expect(names(shared.init(random(0), [2]))).toEqual(["1-shared/1-dense/kernel"]);
    const own = net().repeat(2, (n, i) => n.dense(3 + i, bare).relu());
    expect(own.spec).toEqual(net().dense(3, bare).relu().dense(4, bare).relu().spec);
  });

  test("noise of its own each time a shared layer is used", () => {
    const times = (count: number): number[] =>
      run(
        net().shared(count, (n) => n.dropout(0.5)),
        {},
        tf.ones([1, 400]),
        true,
      );
    const [kept, twice] = [times(1), times(2)].map((all) => all.filter((v) => v !== 0).length);
    expect(kept! / 400).toBeCloseTo(0.5, 1);
    expect(twice! / 400).toBeCloseTo(0.25, 1);
  });

  test("another model as a layer, whichever it is", () => {
    const inner = mlp({ hidden: [3] });
    const model = net().through(inner).dense(2);
    const params = model.init(random(5), [4]);
    expect(names(params)).toEqual([
      "1-through/2-dense/kernel",
      "1-through/2-dense/bias",
      "2-dense/kernel",
      "2-dense/bias",
    ]);
    const given = random(2).uniforms([2, 4]);
    const features = tf.tensor2d(run(inner, params["1-through"] as Params, given), [2, 3]);
    expect(run(model, params, given)).toEqual(run(net().dense(2), { "1-dense": params["2-dense"]! }, features));
    const image = net()
      .through(resnet18({ filters: 2 }))
      .dense(3);
    expect(image.features([16, 16, 1])).toEqual([3]);
    expect(modelFromJson(JSON.parse(JSON.stringify(image))).spec).toEqual(image.spec);
  });

  test("several named inputs, that come as one vector", () => {
    const model = net()
      .inputs({ picture: [2, 2, 1], age: [1] })
      .branch([(n) => n.take("picture").pool(2).flatten(), (n) => n.take("age").dense(1, bare)]);
    const params = { "2-branch": { "2-way": { "2-dense": kernel([[10]]) } } };
    const batch = { picture: tf.tensor4d([1, 5, 2, 3, 0, 0, 0, 1], [2, 2, 2, 1]), age: tf.tensor2d([[7], [8]]) };
    expect(run(model, params, joinInputs(batch))).toEqual([5, 70, 1, 80]);
    expect(() => model.features([4])).toThrow(
      "inputs: a vector of 5 numbers is required for picture [2,2,1], age [1], got shape [4]",
    );
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
  });

  test("dense layers at every place of a sequence of numbers", async () => {
    const two = tf.tensor3d([
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    expect(run(net().dense(1), { "1-dense": kernel([[1], [10]], [0.5]) }, two)).toEqual([21.5, 43.5]);
    // sequences whose second numbers rise or fall: told by a dense layer over all, from what a dense layer makes of each place
    const data = fromArrays(
      Array.from({ length: 80 }, (_, i) =>
        Array.from({ length: 5 }, (_, t) => [Math.sin(i), (i % 2 === 0 ? t : 4 - t) / 4]),
      ),
      Array.from({ length: 80 }, (_, i) => i % 2),
      { kind: "sequence" },
    );
    const study = classes(data)
      .learn(net().dense(8).tanh().flatten().dense(8).relu())
      .with(sgd({ lr: 0.2 }));
    const trained = await study.train({ epochs: 10, batch: 10 }).run(quiet);
    expect(trained.matrix().values[0]![0]).toBe(1);
  });
});

describe("a graph", () => {
  const graph = net()
    .conv(3, 3)
    .tap("fine")
    .residual((n) => n.conv(3, 3).batchNorm().relu())
    .branch([(n) => n.conv(2, 1), (n) => n.residual((m) => m.conv(3, 3).tanh(), { skip: (m) => m.conv(3, 1) })])
    .read("fine")
    .pool(2, { keep: "mean" })
    .flatten()
    .dense(4)
    .shared(2, (n) => n.dense(4).tanh());
  const input = [4, 4, 1];

  test("is made again from its JSON, with the same weights", () => {
    const again = modelFromJson(JSON.parse(JSON.stringify(graph)));
    const [a, b] = [graph, again].map((model) => model.init(random(3), input)) as [Params, Params];
    expect(names(b)).toEqual(names(a));
    expect(leaves(b).map((t) => [...t.dataSync()])).toEqual(leaves(a).map((t) => [...t.dataSync()]));
  });

  test("names its tensors and running statistics by where they lie, and counts them", () => {
    const params = graph.init(random(0), input);
    expect(names(params)).toEqual(
      expect.arrayContaining(["3-residual/1-conv/kernel", "4-branch/2-way/1-residual/skip/1-conv/bias"]),
    );
    expect(names(graph.statistics(input))).toEqual(["3-residual/2-batchNorm/mean", "3-residual/2-batchNorm/variance"]);
    const rows = graph.summary(input);
    expect(rows.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(
      leaves(params).reduce((sum, t) => sum + t.size, 0),
    );
    expect(rows.map(({ layer }) => layer)).toContain("branch 2-way: residual skip: conv(3, 1, 1)");
  });

  test("writes running statistics of inner layers, and shows inner layers to a tap by their paths", () => {
    const paths: string[] = [];
    const noted = tape(true, random(1), graph.statistics(input), (path, _, output) => {
      paths.push(path.join("/"));
      return output;
    });
    graph.apply(graph.init(random(0), input), random(2).uniforms([3, ...input]), noted.mode);
    const { mean } = (noted.written()["3-residual"] as Params)["2-batchNorm"] as { mean: tf.Tensor };
    expect(Math.max(...mean.dataSync().map(Math.abs))).toBeGreaterThan(0);
    expect(paths).toContain("model/4-branch/2-way/1-residual/1-conv");
  });

  test("has the gradient that finite differences give", () => {
    const small = network(graph as Model, input);
    const weights = small.init(random(3), 3);
    const x = random(4).uniforms([2, ...input]);
    const statistics = small.statistics();
    const loss = (w: Weights): tf.Tensor =>
      tf.mean(tf.square(small.logits(w, small.features(w, x, tape(false, null, statistics).mode))));
    const { grads } = valueAndGrad(loss, weights);
    const slopes = leaves(grads);
    const length = Math.sqrt(slopes.reduce((sum, g) => sum + (tf.sum(tf.square(g)).dataSync()[0] as number), 0));
    const moved = (by: number): number => {
      let at = 0;
      const visit = (node: Params): Params =>
        Object.fromEntries(
          Object.entries(node).map(([name, inner]) => [
            name,
            inner instanceof tf.Tensor ? tf.add(inner, tf.mul(slopes[at++]!, by / length)) : visit(inner as Params),
          ]),
        );
      return loss(visit(weights as unknown as Params) as unknown as Weights).dataSync()[0]!;
    };
    expect((moved(1e-3) - moved(-1e-3)) / 2e-3 / length).toBeCloseTo(1, 2);
  });

  test("learns, and is saved as ONNX", async () => {
    const data = fromArrays(
      random(1)
        .uniforms([40, ...input])
        .arraySync() as number[][][][],
      Array.from({ length: 40 }, (_, i) => i % 4),
      { kind: "image" },
    );
    const trained = await classes(data).split(2).learn(graph).train({ batch: 10 }).run(quiet);
    const own = await trained.network();
    const x = random(2).uniforms([3, ...input]);
    const want = own.predict(x).dataSync();
    importOnnx(own.toOnnx())(x)[0]!
      .dataSync()
      .forEach((v, i) => {
        expect(v).toBeCloseTo(want[i]!, 5);
      });
    own.dispose();
  });

  test("says where what does not fit is", () => {
    expect(() =>
      net()
        .conv(4, 3)
        .residual((n) => n.conv(5, 3))
        .features([4, 4, 1]),
    ).toThrow(
      "net, layer 2 (residual): residual: equal shapes are required to add them, got [4,4,5] and [4,4,4]; give the skip layers of its own, { skip: (n) => … }",
    );
    expect(() =>
      net()
        .branch([(n) => n, (n) => n.relu().pool(9)])
        .features([4, 4, 1]),
    ).toThrow("net, layer 1 (branch), 2-way, layer 2: pool: an image of at least 9×9 is required");
    expect(() =>
      net()
        .tap("a")
        .residual((n) => n.read("b"))
        .features([3]),
    ).toThrow(
      'net, layer 2 (residual), layer 1: read: a name that was tapped before is required, got "b", and there is "a"; put tap("b") before',
    );
    expect(() =>
      net()
        .shared(2, (n) => n.dense(3))
        .features([2]),
    ).toThrow("shared: layers that give the shape they take are required, got [2] to [3]; use repeat(times, (n) => …)");
  });

  test("does not compile where the kinds do not go together, with a sentence", () => {
    const flat = net().flatten();
    // @ts-expect-error this layer takes image input, and at this point of the net there is vector output
    const inner = (): unknown => flat.residual((n) => n.conv(2, 3)).features([4]);
    expect(inner).toThrow("conv: an image [height, width, channels] is required");
    // @ts-expect-error this layer takes image input, and at this point of the net there is vector output
    const model = (): unknown => flat.through(resnet18()).features([4]);
    expect(model).toThrow("conv: an image [height, width, channels] is required");
    expectTypeOf(net().residual((n) => n.conv(3, 3))).toExtend<Chained<"image", "image">>();
    expectTypeOf(
      net()
        .inputs({ a: [2, 2, 1], b: [3] })
        .take("a"),
    ).toExtend<Chained<"vector", "image">>();
  });
});

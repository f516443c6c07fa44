/** The layers that backbones are made of, against values worked by hand, and all of them against finite differences. */
import {
  exportOnnx,
  importOnnx,
  leaves,
  type Model,
  modelFromJson,
  net,
  nn,
  type Params,
  random,
  tape,
  tf,
  tfLayers,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
/** What a model gives, with the parameters of its layers by their names. */
const given = (model: unknown, x: tf.Tensor, params: Params = {}): number[] =>
  numbers(tf.tidy(() => (model as Model).apply(params, x, tape(false, null, {}).mode)));
const close = (got: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted[i]!, digits);
  });
};
const counted = (...shape: number[]): tf.Tensor =>
  tf.reshape(
    tf.range(
      0,
      shape.reduce((a, b) => a * b),
    ),
    shape,
  );

describe("activations", () => {
  const x = tf.tensor2d([[-2, 0, 1]]);
  test.each([
    ["sigmoid", net().sigmoid(), [0.1192029, 0.5, 0.7310586]],
    ["silu", net().silu(), [-0.2384058, 0, 0.7310586]],
    ["leakyRelu", net().leakyRelu(), [-0.02, 0, 1]],
    // Φ(−2) = 0.0227501, Φ(1) = 0.8413447
    ["gelu with the error function", net().gelu({ form: "exact" }), [-0.0455003, 0, 0.8413447]],
    ["gelu by a hyperbolic tangent", net().gelu(), [-0.0454023, 0, 0.841192]],
    ["softmax", net().softmax(), [0.035119, 0.2594965, 0.7053845]],
  ])("%s has the values that are known of it", (_, model, wanted) => {
    close(given(model, x), wanted);
  });
});

describe("images and sequences", () => {
  test("patches are squares in the order of the image, and equal a convolution of their size with dense after them", () => {
    const image = counted(1, 4, 4, 1);
    expect(given(net().patches(2), image)).toEqual([0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
    const colour = random(1).uniforms([2, 6, 6, 3]);
    const kernel = random(2).normals([3, 3, 3, 5], 0, 1);
    const rows = { "2-dense": { kernel: tf.reshape(kernel, [27, 5]) } };
    const windows = { "1-conv": { kernel } };
    const conv = net().conv(5, 3, { stride: 3, pad: "valid", bias: false });
    close(given(net().patches(3).dense(5, { bias: false }), colour, rows), given(conv, colour, windows), 4);
    expect(net().patches(1).features([4, 5, 2])).toEqual([20, 2]);
    expect(() => net().patches(3).features([4, 4, 1])).toThrow("multiples of 3 is required, got shape [4,4,1]");
  });

  test("places are told by waves, or by trained vectors", () => {
    const zeros = tf.zeros([1, 2, 4]);
    close(given(net().positions({ kind: "sinusoidal" }), zeros), [
      0,
      1,
      0,
      1,
      Math.sin(1),
      Math.cos(1),
      Math.sin(0.01),
      Math.cos(0.01),
    ]);
    const places = counted(2, 4);
    expect(given(net().positions(), tf.ones([1, 2, 4]), { "1-positions": { places } })).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ]);
  });

  test("a class token comes first, and first() reads it", () => {
    const token = { "1-classToken": { token: tf.tensor2d([[7, 8]]) } };
    const x = counted(2, 1, 2);
    expect(given(net().classToken(), x, token)).toEqual([7, 8, 0, 1, 7, 8, 2, 3]);
    expect(given(net().classToken().first(), x, token)).toEqual([7, 8, 7, 8]);
  });

  test("globalPool keeps one number of each channel", () => {
    const image = counted(1, 2, 2, 2);
    expect(given(net().globalPool(), image)).toEqual([3, 4]);
    expect(given(net().globalPool({ keep: "max" }), image)).toEqual([6, 7]);
    expect(given(net().globalPool(), counted(1, 3, 2))).toEqual([2, 3]);
  });

  test("reshape keeps the order of the numbers, permute turns the axes", () => {
    expect(net().reshape([2, 3]).features([6])).toEqual([2, 3]);
    expect(given(net().permute([2, 1]), counted(1, 2, 3))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(() => net().reshape([5]).features([2, 3])).toThrow(
      "5 numbers are required for shape [5], got shape [2,3], which has 6",
    );
    expect(() => net().permute([1, 3])).toThrow(
      "permute: an order that names every axis from 1 once is required, got [1,3]",
    );
  });

  test("upsample repeats pixels, or goes from middle to middle as PyTorch does", () => {
    const row = tf.tensor4d([1, 2], [1, 1, 2, 1]);
    expect(given(net().upsample(2), row)).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    // torch.nn.functional.interpolate([[1, 2]], scale_factor=2, mode="bilinear"), and of [[1, 2], [3, 4]] by 3
    close(given(net().upsample(2, { by: "bilinear" }), row), [1, 1.25, 1.75, 2, 1, 1.25, 1.75, 2]);
    const square = given(net().upsample(3, { by: "bilinear" }), tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]));
    close(
      square.slice(12, 18),
      [5 / 3, 5 / 3, 2, 7 / 3, 8 / 3, 8 / 3].map((v) => v - 1 / 3 + 1 / 3),
    );
  });

  test("groupNorm normalises groups of channels over all places", () => {
    const x = tf.tensor3d([
      [
        [1, 3, 10, 10],
        [5, 7, 30, 30],
      ],
    ]);
    const params = { "1-groupNorm": { scale: tf.tensor1d([1, 1, 1, 2]), shift: tf.tensor1d([0, 0, 0, 5]) } };
    // the first group has mean 4 and variance 5, the second 20 and 100
    const wanted = [-3, -1, 1, 3].map((v) => v / Math.sqrt(5));
    close(given(net().groupNorm(2), x, params), [wanted[0]!, wanted[1]!, -1, 3, wanted[2]!, wanted[3]!, 1, 7], 4);
    expect(() => net().groupNorm(3).features([4, 4, 4])).toThrow(
      "a number of groups that divides the 4 channels is required, got 3",
    );
  });
});

describe("convolutions", () => {
  test("of each channel by itself, its filters side by side", () => {
    const x = tf.tensor4d([1, 10, 2, 20], [1, 1, 2, 2]);
    // at the one place of a window of two pixels: channel 0 gives 1·a + 2·b for its two filters, channel 1 the like
    const kernel = tf.concat([tf.tensor4d([1, 2, 3, 4], [1, 1, 2, 2]), tf.tensor4d([5, 6, 7, 8], [1, 1, 2, 2])], 1);
    const y = nn.convolve(x, kernel, { pad: "valid", depthwise: true });
    expect(numbers(y)).toEqual([11, 14, 170, 200]);
    expect(net().depthwiseConv(3, { multiplier: 2 }).features([5, 5, 4])).toEqual([5, 5, 8]);
  });

  test("that are dilated equal those with zeros between the numbers of the filter, and so do their gradients", () => {
    const x = random(1).normals([2, 7, 8, 3], 0, 1) as tf.Tensor4D;
    for (const depthwise of [false, true])
      for (const [dilation, pad] of [
        [2, "same"],
        [3, "valid"],
      ] as const) {
        const filter = random(2).normals([3, 3, 3, 2], 0, 1) as tf.Tensor4D;
        const wide = (f: tf.Tensor): tf.Tensor4D => {
          const size = 2 * dilation + 1;
          const at = tf.oneHot(tf.tensor1d([0, dilation, 2 * dilation], "int32"), size).cast("float32") as tf.Tensor2D;
          const rows = tf.matMul(at, tf.reshape(f, [3, 18]), true);
          const columns = tf.matMul(
            at,
            tf.reshape(tf.transpose(tf.reshape(rows, [size, 3, 6]), [1, 0, 2]), [3, size * 6]),
            true,
          );
          return tf.reshape(tf.transpose(tf.reshape(columns, [size, size, 6]), [1, 0, 2]), [size, size, 3, 2]);
        };
        const own = (p: { x: tf.Tensor; f: tf.Tensor }): tf.Tensor =>
          nn.convolve(p.x, p.f, { dilation, pad, depthwise });
        const other = ({ x, f }: { x: tf.Tensor; f: tf.Tensor }): tf.Tensor =>
          depthwise
            ? tf.depthwiseConv2d(x as tf.Tensor4D, wide(f), 1, pad)
            : tf.conv2d(x as tf.Tensor4D, wide(f), 1, pad);
        const loss = (run: typeof own) => (p: { x: tf.Tensor; f: tf.Tensor }) => tf.mean(tf.pow(run(p), 3));
        const [a, b] = [own, other].map((run) =>
          valueAndGrad(loss(run), { x: x as tf.Tensor, f: filter as tf.Tensor }),
        );
        close(numbers(own({ x, f: filter })), numbers(other({ x, f: filter })), 4);
        for (const part of ["x", "f"] as const) close(numbers(a!.grads[part]), numbers(b!.grads[part]), 4);
        if (depthwise) continue;
        // the gradient of the gradient's length, which tf.conv2d has not
        const twice = (run: typeof own) =>
          valueAndGrad(
            (p: { x: tf.Tensor; f: tf.Tensor }) => {
              const inner = tf.grad((f: tf.Tensor) => tf.mean(tf.square(run({ x: p.x, f }))));
              return tf.mean(tf.square(inner(p.f)));
            },
            { x: x as tf.Tensor, f: filter as tf.Tensor },
          );
        const [c, d] = [own, (p: { x: tf.Tensor; f: tf.Tensor }) => nn.convolve(p.x, wide(p.f), { pad })].map(twice);
        close(numbers(c!.grads.x), numbers(d!.grads.x), 4);
        close(numbers(c!.grads.f), numbers(d!.grads.f), 4);
      }
  });

  test("in groups are one beside the other", () => {
    const x = random(3).normals([1, 4, 4, 4], 0, 1) as tf.Tensor4D;
    const kernel = random(4).normals([3, 3, 2, 6], 0, 1) as tf.Tensor4D;
    const halves = [0, 1].map((i) =>
      tf.conv2d(
        tf.slice(x, [0, 0, 0, 2 * i], [1, 4, 4, 2]),
        tf.slice(kernel, [0, 0, 0, 3 * i], [3, 3, 2, 3]),
        1,
        "same",
      ),
    );
    close(
      given(net().conv(6, 3, { groups: 2, bias: false }), x, { "1-conv": { kernel } }),
      numbers(tf.concat(halves, 3)),
      4,
    );
    expect(() => net().conv(6, 3, { groups: 4 })).toThrow("conv: filters that 4 groups divide are required, got 6");
  });

  test("that use nothing rarer are in records what they were", () => {
    expect(net().conv(4, 3).spec.layers![0]!.options).toEqual({
      filters: 4,
      window: 3,
      stride: 1,
      pad: "same",
      bias: true,
      initial: "torch",
    });
    expect(net().transformer(2).spec.layers![0]!.options).toEqual({ heads: 2, widen: 4, causal: true });
  });
});

const image = [6, 6, 4];
const places = [4, 6];
/** A model that ends in a vector, and whether tf.layers has all of it. */
const models: [string, unknown, number[], boolean][] = [
  ["sigmoid", net().dense(3).sigmoid(), [4], true],
  ["silu", net().dense(3).silu(), [4], true],
  ["softmax", net().dense(3).softmax(), [4], true],
  ["leakyRelu", net().dense(3).leakyRelu(0.3), [4], true],
  ["gelu", net().dense(3).gelu(), [4], true],
  ["exact gelu", net().dense(3).gelu({ form: "exact" }), [4], true],
  ["groupNorm", net().groupNorm(2).tanh().flatten(), image, false],
  ["patches", net().patches(3).dense(2).flatten(), image, true],
  ["patches of one pixel", net().patches(1).dense(2).flatten(), image, true],
  ["learned positions", net().dense(5).positions().tanh().flatten(), places, false],
  ["sinusoidal positions", net().dense(4).positions({ kind: "sinusoidal" }).tanh().flatten(), places, false],
  ["classToken and first", net().classToken().transformer(2, { causal: false }).first(), places, false],
  ["globalPool of images", net().conv(3, 3).globalPool(), image, true],
  ["globalPool of sequences", net().dense(3).globalPool({ keep: "max" }), places, true],
  ["upsample", net().conv(2, 3, { stride: 2 }).upsample(2).flatten(), image, true],
  ["bilinear upsample", net().conv(2, 3, { stride: 2 }).upsample(3, { by: "bilinear" }).flatten(), image, false],
  ["reshape and permute", net().reshape([12, 12]).permute([2, 1]).dense(2).reshape([24]), image, true],
  ["dilated conv", net().conv(3, 3, { dilation: 2 }).flatten(), image, true],
  ["grouped conv", net().conv(4, 3, { groups: 2 }).flatten(), image, false],
  ["depthwiseConv", net().depthwiseConv(3, { multiplier: 2 }).flatten(), image, true],
  ["dilated depthwiseConv", net().depthwiseConv(3, { dilation: 2 }).flatten(), image, false],
  ["strided depthwiseConv", net().depthwiseConv(3, { stride: 2, pad: "valid" }).flatten(), image, true],
  [
    "a gate for each channel",
    net()
      .branch([(n) => n, (n) => n.globalPool().dense(4).sigmoid()], { join: "multiply" })
      .flatten(),
    image,
    false,
  ],
  [
    "named inputs",
    net()
      .inputs({ picture: [2, 2, 1], age: [2] })
      .branch([(n) => n.take("picture").conv(2, 2).flatten(), (n) => n.take("age").dense(3).tanh()]),
    [6],
    false,
  ],
  [
    "shared and read",
    net()
      .dense(4)
      .tap("x")
      .shared(3, (n) => n.dense(4).tanh())
      .read("x", { join: "multiply" }),
    [4],
    true,
  ],
  [
    "filters of templates",
    net()
      .templateConv(4, 3, { grid: [2, 2] })
      .tanh()
      .flatten(),
    [4, 4, 2],
    false,
  ],
  ["a dense layer of templates", net().templateDense(5, { templates: 3 }).tanh().flatten(), places, false],
  ["a block tensor train", net().structured(12, { rank: 2 }).tanh().flatten(), places, false],
  ["a Monarch matrix", net().structured(8, { kind: "monarch", blocks: 2 }).tanh().flatten(), places, false],
  ["a sum of Kronecker products", net().structured(6, { kind: "kronecker", rank: 2 }).tanh().flatten(), places, false],
  ["a product of low rank", net().structured(6, { kind: "lowRank" }).tanh().flatten(), places, false],
  ["a mixture of experts", net().moe(3, { widen: 1 }).flatten(), places, false],
  ["experts that add up to one layer", net().factoredMoe(2, { topK: 2, widen: 1 }).flatten(), places, false],
  [
    "experts that a router has chosen before",
    net()
      .preGate(2, { heads: 2 })
      .gatedUnits([
        [0, 1],
        [1, 2],
      ])
      .flatten(),
    places,
    false,
  ],
  ["a mixture beside a layer for all", net().residualMoe(3, { widen: 1, form: "relu" }).flatten(), places, false],
  [
    "mixtures whose routers have a state",
    net()
      .repeat(2, (n) => n.residual((m) => m.recurrentMoe(3, { widen: 1, units: 4, form: "swiglu" })))
      .flatten(),
    places,
    false,
  ],
  [
    "transformer normalised after",
    net().transformer(2, { norm: "after", gelu: "exact", epsilon: 1e-6 }).flatten(),
    places,
    false,
  ],
];

describe.each(models)("%s", (_, made, shape, hasCounterpart) => {
  const model = made as Model;
  const x = random(1).normals([3, ...shape], 0, 1);
  const params = model.init(random(2), shape);
  const apply = (p: Params, x: tf.Tensor): tf.Tensor => model.apply(p, x, tape(false, null, {}).mode);
  const weigh = random(5).normals([3, ...model.features(shape)], 0, 1);

  test("has the gradients that finite differences give, for weights and input", () => {
    const loss = (p: { x: tf.Tensor; params: Params }): tf.Tensor => tf.sum(tf.mul(apply(p.params, p.x), weigh));
    const at = { x, params };
    const { grads } = valueAndGrad(loss, at);
    const slopes = leaves(grads as never);
    const length = Math.sqrt(slopes.reduce((sum, g) => sum + tf.sum(tf.square(g)).dataSync()[0]!, 0));
    const moved = (by: number): number => {
      let next = 0;
      const visit = (node: unknown): unknown =>
        node instanceof tf.Tensor
          ? tf.add(node, tf.mul(slopes[next++]!, by / length))
          : Object.fromEntries(Object.entries(node as object).map(([name, inner]) => [name, visit(inner)]));
      return loss(visit(at) as typeof at).dataSync()[0]!;
    };
    expect((moved(3e-3) - moved(-3e-3)) / 6e-3 / length).toBeCloseTo(1, 2);
  });

  test("is made again from its JSON and saved as ONNX for any batch, and as layers where there are such", () => {
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
    const wanted = numbers(apply(params, x));
    const onnx = importOnnx(exportOnnx((given) => apply(params, given!), [tf.zeros([1, ...shape])], { batch: "any" }));
    close(numbers(onnx(x)[0]!), wanted, 4);
    const input = tfLayers.input({ shape });
    const layers = (): tf.Tensor => {
      const outputs = model.counterpart!(input, "", params, {});
      return tfLayers.model({ inputs: input, outputs }).predict(x) as tf.Tensor;
    };
    if (hasCounterpart) close(numbers(layers()), wanted, 4);
    else expect(layers).toThrow("layersModel: layers that tf.layers has too are required");
  });
});

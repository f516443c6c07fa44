/** Kernels of images, volumes and rarer ones, and their gradients: against tfjs-cpu, inside compiled functions, by finite differences. */
import { describe, expect, it, vi } from "vitest";
import { jit, random, steps, tf, tfLayers, valueAndGrad } from "../../lib/engine/index.ts";
import { lowerings } from "../../lib/engine/kernels/registry.ts";
import { agreesWithReference, type Case, ints, seq } from "./compare.ts";

const t4 = (shape: number[]): tf.Tensor4D => seq(shape) as tf.Tensor4D;
const t5 = (shape: number[]): tf.Tensor5D => seq(shape) as tf.Tensor5D;
const weighted = (x: tf.Tensor): tf.Scalar => tf.sum(tf.mul(x, seq(x.shape, 0.5, 2)));
const image = tf.image;

const resizes: Case[] = (["resizeBilinear", "resizeNearestNeighbor"] as const).flatMap((op) =>
  [
    [4, 5, false, false],
    [4, 5, true, false],
    [4, 5, false, true],
    [11, 9, false, false],
    [11, 9, true, false],
    [11, 9, false, true],
    [1, 1, true, false],
  ].flatMap(([h, w, align, half]): Case[] => {
    const size = [h, w] as [number, number];
    const resize = (x: tf.Tensor): tf.Tensor4D => image[op](x as tf.Tensor4D, size, align as boolean, half as boolean);
    const label = `${op} to ${h}×${w}${align ? ", corners aligned" : ""}${half ? ", centres of pixels" : ""}`;
    // tfjs-cpu takes the gradient of square images one by one, and as if pixels were points whatever the forward pass does.
    const gradient: Case = [`the gradient of ${label}`, () => tf.grad((x) => weighted(resize(x)))(t4([1, 7, 7, 3]))];
    return [
      [label, () => [resize(t4([2, 7, 6, 3])), resize(tf.relu(conv(t4([1, 7, 6, 2]))))]],
      ...(half ? [] : [gradient]),
    ];
  }),
);
const conv = (x: tf.Tensor4D): tf.Tensor4D => tf.conv2d(x, t4([3, 3, x.shape[3], 4]), 1, "same");

const volumes: Case[] = (["same", "valid"] as const).flatMap((padding) =>
  ([1, 2, [1, 2, 2]] as const).flatMap((stride): Case[] => {
    const by = stride as number | [number, number, number];
    const how = `${padding} ${stride}`;
    const pools = { maxPool3d: tf.maxPool3d, avgPool3d: tf.avgPool3d };
    return [
      [`conv3d ${how}`, () => tf.conv3d(t5([2, 5, 6, 4, 3]), t5([3, 2, 3, 3, 4]), by, padding)],
      [
        `conv3d gradients ${how}`,
        () =>
          tf.grads((x: tf.Tensor, w: tf.Tensor) =>
            weighted(tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, by, padding)),
          )([t5([2, 5, 6, 4, 3]), t5([3, 2, 3, 3, 4])]),
      ],
      ...Object.entries(pools).map(
        ([name, pool]): Case => [`${name} ${how}`, () => pool(t5([2, 5, 6, 4, 3]), 2, by, padding)],
      ),
      [
        `maxPool3d gradient ${how}`,
        () => tf.grad((x: tf.Tensor) => weighted(tf.maxPool3d(x as tf.Tensor5D, 2, by, padding)))(t5([2, 5, 6, 4, 3])),
      ],
    ];
  }),
);

agreesWithReference("The backend computes what tfjs-cpu computes of images and volumes", [
  ...resizes,
  ...volumes,
  [
    "avgPool3d gradient",
    () =>
      tf.grad((x: tf.Tensor) => weighted(tf.avgPool3d(x as tf.Tensor5D, 2, [2, 1, 2], "valid")))(t5([2, 5, 6, 4, 3])),
  ],
  [
    "maxPool3d gradient with ties",
    () =>
      tf.grad((x: tf.Tensor) => weighted(tf.maxPool3d(tf.relu(x) as tf.Tensor5D, 2, 1, "valid")))(t5([1, 3, 4, 3, 2])),
  ],
  ["conv3dTranspose", () => tf.conv3dTranspose(t5([1, 2, 3, 2, 4]), t5([2, 2, 2, 3, 4]), [1, 4, 6, 4, 3], 2, "same")],
  [
    "cropAndResize",
    () =>
      (["bilinear", "nearest"] as const).map((method) =>
        image.cropAndResize(
          t4([2, 6, 5, 3]),
          tf.tensor2d([0, 0, 1, 1, 0.2, 0.1, 0.85, 0.6, 0.8, 0.9, 0.1, -0.3], [3, 4]),
          tf.tensor1d([1, 0, 1], "int32"),
          [4, 3],
          method,
          0.5,
        ),
      ),
  ],
  ["flipLeftRight", () => image.flipLeftRight(t4([2, 3, 4, 2]))],
  [
    "spaceToBatchND and back",
    () => {
      const apart = tf.spaceToBatchND(
        t4([2, 3, 5, 2]),
        [2, 3],
        [
          [1, 0],
          [0, 1],
        ],
      );
      return [
        apart,
        tf.batchToSpaceND(
          apart,
          [2, 3],
          [
            [1, 0],
            [0, 1],
          ],
        ),
      ];
    },
  ],
  [
    "the gradient of dilated pooling",
    () => tf.grad((x: tf.Tensor) => weighted(tf.pool(x as tf.Tensor4D, 2, "max", "same", 2)))(t4([1, 6, 7, 2])),
  ],
  ["depthToSpace", () => tf.depthToSpace(t4([2, 3, 2, 8]), 2)],
  [
    "localResponseNormalization and its gradient",
    () => [
      tf.localResponseNormalization(t4([2, 3, 3, 7]), 2, 1, 0.5, 0.75),
      tf.grad((x: tf.Tensor) => weighted(tf.localResponseNormalization(x as tf.Tensor4D, 2, 1, 0.5, 0.75)))(
        t4([2, 3, 3, 7]),
      ),
    ],
  ],
]);

agreesWithReference("The backend computes what tfjs-cpu computes of the rarer kernels", [
  [
    "atan2 in every quadrant and on the axes, and its gradients",
    () => {
      const y = tf.tensor1d([1, 1, -1, -1, 0, 0, 1, -1, 0, 0.3]);
      const x = tf.tensor1d([2, -2, 2, -2, 1, -1, 0, 0, 0, -1e-3]);
      const off = [tf.tensor1d([1, 1, -1, -1]), tf.tensor1d([2, -2, 2, -2])] as const;
      return [tf.atan2(y, x), ...tf.grads((a: tf.Tensor, b: tf.Tensor) => weighted(tf.atan2(a, b)))([...off])];
    },
  ],
  [
    "cumprod",
    () =>
      [false, true].flatMap((exclusive) =>
        [false, true].flatMap((reverse) => [
          tf.cumprod(seq([3, 5], 0.5, 2), 1, exclusive, reverse),
          tf.cumprod(ints([4, 3]), 0, exclusive, reverse),
        ]),
      ),
  ],
  ["diag", () => [tf.diag(seq([4])), tf.diag(ints([2, 3]))]],
  ["bitwiseAnd", () => tf.bitwiseAnd(ints([5], 9), ints([5], 6))],
  [
    "sparseToDense",
    () => [
      tf.sparseToDense(tf.tensor1d([3, 0], "int32"), seq([2]), [5], 0.5),
      tf.sparseToDense(tf.tensor2d([0, 1, 2, 0], [2, 2], "int32"), tf.scalar(7), [3, 2]),
    ],
  ],
  [
    "searchSorted",
    () =>
      [tf.lowerBound, tf.upperBound].map((bound) =>
        bound(tf.tensor2d([0, 1, 1, 4, 2, 3, 5, 5], [2, 4]), tf.tensor2d([1, 0.5, 9, 5, -1, 3], [2, 3])),
      ),
  ],
  ["gather batch by batch", () => tf.gather(seq([2, 4, 3]), tf.tensor2d([3, 0, 1, 1], [2, 2], "int32"), 1, 1)],
]);

describe("Kernels of images and volumes", () => {
  it("compile: a network of volumes trains as one program, by single steps and by a loop", () => {
    const warn = vi.spyOn(console, "warn");
    type State = { readonly k: tf.Tensor; readonly w: tf.Tensor };
    const step = (state: State, x: tf.Tensor): [State, tf.Scalar] => {
      const { value, grads } = valueAndGrad((p: State) => {
        const h = tf.maxPool3d(tf.relu(tf.conv3d(x as tf.Tensor5D, p.k as tf.Tensor5D, 1, "same")), 2, 2, "same");
        const pooled = tf.avgPool3d(h, [1, 2, 2], [1, 2, 2], "valid");
        const image = tf.image.resizeBilinear(tf.mean(pooled, 1) as tf.Tensor4D, [4, 4]);
        return tf.mean(tf.square(tf.mul(image, p.w)));
      }, state);
      return [{ k: tf.sub(state.k, tf.mul(grads.k, 0.1)), w: tf.sub(state.w, tf.mul(grads.w, 0.1)) }, value];
    };
    const start = (): State => ({ k: random(1).normals([3, 3, 3, 1, 2]), w: random(2).normals([4, 4, 2]) });
    const xs = random(3).normals([3, 2, 4, 4, 4, 1]);
    const compiled = jit(step, { donate: [0] });
    let [one, plain] = [start(), start()];
    for (const x of tf.unstack(xs)) {
      [one] = compiled(one, x);
      [plain] = step(plain, x);
    }
    const [many] = steps((state: State, x: tf.Tensor) => step(state, x))(start(), xs, null);
    for (const key of ["k", "w"] as const)
      plain[key].dataSync().forEach((want, i) => {
        expect(one[key].dataSync()[i]).toBeCloseTo(want, 5);
        expect(many[key].dataSync()[i]).toBeCloseTo(want, 5);
      });
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it("have gradients that agree with finite differences where those of tfjs-cpu do not", () => {
    const [image, volume] = [
      [2, 3, 4, 1],
      [1, 3, 4, 3, 1],
    ];
    const resize = (align: boolean, half: boolean) => (x: tf.Tensor) =>
      tf.add(
        tf.image.resizeBilinear(x as tf.Tensor4D, [5, 7], align, half),
        tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [5, 7], align, half),
      );
    const of: [string, number[], (x: tf.Tensor) => tf.Tensor][] = [
      ["oblong images", image!, resize(false, false)],
      ["oblong images with their corners aligned", image!, resize(true, false)],
      ["oblong images by the centres of pixels", image!, resize(false, true)],
      ["windows of unequal sides", volume!, (x) => tf.maxPool3d(x as tf.Tensor5D, [2, 3, 2], 1, "same")],
      ["padded means", volume!, (x) => tf.avgPool3d(x as tf.Tensor5D, 2, 2, "same")],
    ];
    for (const [name, shape, body] of of) {
      const data = seq(shape).dataSync() as Float32Array;
      const value = (at: Float32Array): number => weighted(body(tf.tensor(at, shape))).dataSync()[0]!;
      const grad = tf
        .grad((y: tf.Tensor) => weighted(body(y)))(tf.tensor(data, shape))
        .dataSync();
      data.forEach((_, i) => {
        const moved = (by: number): Float32Array => data.map((v, k) => (k === i ? v + by : v));
        expect((value(moved(1e-2)) - value(moved(-1e-2))) / 2e-2, `${name}, ${i}`).toBeCloseTo(grad[i]!, 2);
      });
    }
  });

  it("take channels before pixels where tfjs-cpu does not", () => {
    const x = t4([2, 6, 5, 8]);
    const first = tf.transpose(x, [0, 3, 1, 2]) as tf.Tensor4D;
    const filter = t4([3, 3, 8, 2]);
    for (const [got, want] of [
      [tf.depthToSpace(first, 2, "NCHW"), tf.depthToSpace(x, 2)],
      [tf.depthwiseConv2d(first, filter, 1, "valid", "NCHW"), tf.depthwiseConv2d(x, filter, 1, "valid")],
    ] as const)
      expect(got.arraySync()).toEqual(tf.transpose(want, [0, 3, 1, 2]).arraySync());
  });

  it("serve the layers of tf.layers for volumes and images", async () => {
    const { layers, initializers } = tfLayers;
    const seeded = (seed: number) => ({ kernelInitializer: initializers.glorotUniform({ seed }) });
    const model = tfLayers.sequential({
      layers: [
        layers.conv3d({
          inputShape: [4, 6, 6, 1],
          filters: 2,
          kernelSize: 3,
          padding: "same",
          activation: "relu",
          ...seeded(1),
        }),
        layers.maxPooling3d({ poolSize: 2 }),
        layers.averagePooling3d({ poolSize: [2, 1, 1] }),
        layers.reshape({ targetShape: [3, 3, 2] }),
        layers.upSampling2d({ size: [2, 2], interpolation: "bilinear" }),
        layers.flatten(),
        layers.dense({ units: 1, ...seeded(2) }),
      ],
    });
    model.compile({ optimizer: tf.train.sgd(0.01), loss: "meanSquaredError" });
    const { history } = await model.fit(random(1).uniforms([8, 4, 6, 6, 1]), tf.ones([8, 1]), {
      epochs: 4,
      shuffle: false,
      verbose: 0,
    });
    const losses = history.loss as number[];
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });

  it("are recorded, all but those that compute strings, complex numbers, shapes that depend on numbers, or for drawing", () => {
    const missing = tf
      .getKernelsForBackend("cpu")
      .map(({ kernelName }) => kernelName)
      .filter((name) => !lowerings.has(name));
    const views = ["ExpandDims", "Identity", "Reshape", "Complex", "Real", "Imag"];
    expect(missing.filter((name) => !views.includes(name)).sort()).toEqual(
      [
        ["ComplexAbs", "FFT", "IFFT"], // complex numbers
        ["StaticRegexReplace", "StringNGrams", "StringSplit", "StringToHashBucketFast"], // strings
        ["RaggedGather", "RaggedRange", "RaggedTensorToTensor", "SparseFillEmptyRows", "SparseReshape"],
        ["SparseSegmentMean", "SparseSegmentSum", "Unique", "BroadcastArgs"],
        ["NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5"],
        ["Bincount", "DenseBincount"], // they refuse negative numbers, which has to be seen at once
        ["Dilation2D", "Dilation2DBackpropFilter", "Dilation2DBackpropInput", "MaxPoolWithArgmax"],
        ["Draw", "RotateWithOffset", "Transform", "Multinomial"],
      ]
        .flat()
        .sort(),
    );
  });
});

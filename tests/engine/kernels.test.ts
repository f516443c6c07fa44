/** Every recorded kernel, one operation at a time, against tfjs-cpu. */

import { tf } from "../../lib/engine/index.ts";
import { agreesWithReference, type Case, ints, seq } from "./compare.ts";

const call = (op: string, ...args: unknown[]): tf.Tensor =>
  (tf as unknown as Record<string, (...args: unknown[]) => tf.Tensor>)[op]!(...args);

const t4 = (shape: number[]): tf.Tensor4D => seq(shape) as tf.Tensor4D;

const unary =
  "exp log1p sqrt rsqrt square sigmoid tanh sin cos tan asin acos atan sinh cosh asinh atanh erf softplus reciprocal abs neg sign relu relu6 elu selu step floor ceil round expm1 isNaN isInf isFinite logSoftmax softmax".split(
    " ",
  );
const binary =
  "add sub mul div maximum minimum squaredDifference mod floorDiv greater greaterEqual less lessEqual equal notEqual".split(
    " ",
  );

const cases: Case[] = [
  ...unary.map(
    (op): Case => [op, () => call(op, /^(sqrt|rsqrt|log1p)$/.test(op) ? seq([3, 4], 0.1, 2) : seq([3, 4], -0.9, 0.9))],
  ),
  ...unary
    .filter((op) => !/asin|acos|atanh/.test(op))
    .map(
      (op): Case => [
        `${op} after conv`,
        () => call(op, tf.sigmoid(tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"))),
      ],
    ),
  ...binary.map((op): Case => [op, () => call(op, seq([3, 4]), seq([4], 0.5, 2))]),
  ...binary.map(
    (op): Case => [`${op} of whole numbers`, () => call(op, ints([3, 4]), tf.tensor1d([1, 2, 3, 4], "int32"))],
  ),
  ...binary.map(
    (op): Case => [
      `${op} broadcasting into a convolution`,
      () => call(op, tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), seq([4], 0.5, 2)),
    ],
  ),
  ["pow", () => tf.pow(seq([3, 4], 0.1, 2), seq([4], -1, 2))],
  ["prelu", () => tf.prelu(seq([3, 4]), seq([4]))],
  ["leakyRelu", () => tf.leakyRelu(seq([3, 4]), 0.1)],
  ["where", () => tf.where(tf.greater(seq([3, 4]), 0), seq([3, 4]), tf.zeros([3, 4]))],
  ["logical", () => tf.logicalXor(tf.greater(seq([3, 4]), 0), tf.less(seq([3, 4]), 0.5))],
  ["cast", () => [tf.cast(seq([3, 4], -3, 3), "int32"), tf.cast(ints([3]), "bool"), tf.cast(ints([3]), "float32")]],
  ["clip", () => tf.clipByValue(seq([3, 4]), -0.5, 0.5)],
  ["addN", () => tf.addN([seq([3]), seq([3]), tf.ones([3])])],
  ...["sum", "mean", "max", "min", "prod"].flatMap((op): Case[] => [
    [op, () => call(op, seq([2, 3, 4]))],
    [`${op} of an axis`, () => call(op, seq([2, 3, 4]), 1)],
    [`${op} of axes, kept`, () => call(op, seq([2, 3, 4]), [0, 2], true)],
    [`${op} of a fill`, () => call(op, tf.fill([2, 3], 1.5), 0)],
    [`${op} of a broadcast`, () => call(op, tf.mul(tf.ones([4, 3]), seq([3])), [0])],
    [`${op} of images`, () => call(op, tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), [1, 2])],
    [`${op} of channels`, () => call(op, tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), [3])],
    [
      `${op} of batch and rows, kept`,
      () => call(op, tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), [0, 1], true),
    ],
  ]),
  ["any and all", () => [tf.any(tf.greater(seq([3, 4]), 0.9), 1), tf.all(tf.greater(seq([3, 4]), -0.9), 0)]],
  ["argMax", () => [tf.argMax(seq([3, 4]), 1), tf.argMin(seq([3, 4]), 0)]],
  ["cumsum", () => [tf.cumsum(seq([3, 4]), 1), tf.cumsum(seq([3, 4]), 0, true, true)]],
  ["topk", () => Object.values(tf.topk(seq([3, 7]), 3)) as tf.Tensor[]],
  [
    "transpose",
    () => [
      tf.transpose(seq([3, 4])),
      tf.transpose(seq([2, 3, 4]), [2, 0, 1]),
      tf.add(tf.transpose(seq([2, 3, 4, 5]), [0, 3, 1, 2]), 1),
    ],
  ],
  ["concat", () => [tf.concat([seq([2, 3]), seq([4, 3])]), tf.concat([seq([2, 3]), tf.ones([2, 2])], 1)]],
  [
    "concat of convolutions",
    () => tf.concat([tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), t4([2, 5, 5, 2])], 3),
  ],
  ["stack", () => tf.stack([seq([2, 3]), seq([2, 3])], 1)],
  ["unstack", () => tf.unstack(seq([3, 4]), 1)],
  ["split", () => tf.split(seq([6, 4]), [1, 2, 3])],
  [
    "slice",
    () => [
      tf.slice(seq([5, 6]), [1, 2], [3, 2]),
      tf.slice(tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), [0, 1, 2, 1], [1, 2, 3, 2]),
    ],
  ],
  [
    "stridedSlice",
    () => [tf.stridedSlice(seq([5, 6]), [4, 0], [0, 6], [-2, 3]), tf.stridedSlice(seq([5]), [-1], [-10], [-1])],
  ],
  [
    "pad",
    () => [
      tf.pad(
        seq([2, 3]),
        [
          [1, 0],
          [2, 1],
        ],
        0.5,
      ),
      tf.pad(tf.conv2d(t4([2, 5, 5, 3]), t4([3, 3, 3, 4]), 1, "same"), [
        [0, 0],
        [1, 2],
        [0, 0],
        [0, 3],
      ]),
    ],
  ],
  [
    "mirrorPad",
    () => [
      tf.mirrorPad(
        seq([3, 4]),
        [
          [1, 2],
          [2, 1],
        ],
        "reflect",
      ),
      tf.mirrorPad(
        seq([3, 4]),
        [
          [1, 2],
          [2, 1],
        ],
        "symmetric",
      ),
    ],
  ],
  ["tile", () => [tf.tile(seq([2, 3]), [2, 2]), tf.tile(seq([1, 3]), [4, 1]), tf.broadcastTo(seq([3]), [2, 3])]],
  ["reverse", () => tf.reverse(seq([3, 4]), [1])],
  [
    "gather",
    () => [
      tf.gather(seq([5, 3]), tf.tensor1d([4, 0, 2], "int32")),
      tf.gather(seq([5, 3]), tf.tensor2d([[2, 0]], [1, 2], "int32"), 1),
    ],
  ],
  [
    "gatherND",
    () =>
      tf.gatherND(
        seq([5, 3]),
        tf.tensor2d(
          [
            [4, 0],
            [2, 1],
          ],
          [2, 2],
          "int32",
        ),
      ),
  ],
  ["scatterND", () => tf.scatterND(tf.tensor2d([[1], [3], [1]], [3, 1], "int32"), seq([3, 2]), [5, 2])],
  ["unsortedSegmentSum", () => tf.unsortedSegmentSum(seq([4, 3]), tf.tensor1d([0, 2, 0, 1], "int32"), 4)],
  [
    "oneHot",
    () => [
      tf.oneHot(tf.tensor1d([0, 2, 1], "int32"), 4),
      tf.oneHot(tf.tensor1d([0, 5], "int32"), 3, 0.9, 0.1, "float32"),
    ],
  ],
  ["range and linspace", () => [tf.range(2, 9, 2), tf.range(5, 0, -1, "int32"), tf.linspace(0, 1, 5)]],
  [
    "matMul",
    () => [
      tf.matMul(seq([3, 4]), seq([4, 5])),
      tf.matMul(seq([4, 3]), seq([5, 4]), true, true),
      tf.matMul(tf.transpose(seq([4, 3])), seq([4, 5])),
      tf.matMul(seq([2, 3, 4]), seq([2, 4, 5])),
      tf.matMul(seq([2, 3, 4]), seq([2, 5, 4]), false, true),
      tf.matMul(tf.transpose(seq([2, 3, 2, 4]), [0, 2, 1, 3]), tf.transpose(seq([2, 3, 2, 4]), [0, 2, 3, 1])),
      tf.matMul(seq([2, 3, 4]), seq([4, 5])),
    ],
  ],
  [
    "fused matMul",
    () =>
      tf.fused.matMul({
        a: seq([3, 4]) as tf.Tensor2D,
        b: seq([4, 5]) as tf.Tensor2D,
        bias: seq([5]),
        activation: "relu",
      }),
  ],
  ["einsum", () => tf.einsum("bij,bjk->ik", seq([2, 3, 4]), seq([2, 4, 5]))],
  [
    "batchNorm",
    () =>
      tf.batchNorm4d(
        t4([2, 3, 3, 4]),
        seq([4]) as tf.Tensor1D,
        seq([4], 0.5, 1) as tf.Tensor1D,
        seq([4]) as tf.Tensor1D,
        seq([4]) as tf.Tensor1D,
        1e-3,
      ),
  ],
  ...(["same", "valid"] as const).flatMap((padding): Case[] =>
    ([1, 2] as const).flatMap((stride): Case[] => [
      [`conv2d ${padding} ${stride}`, () => tf.conv2d(t4([2, 6, 7, 3]), t4([3, 3, 3, 4]), stride, padding)],
      [
        `conv2d gradients ${padding} ${stride}`,
        () =>
          tf.grads((x: tf.Tensor, w: tf.Tensor) =>
            tf.sum(tf.square(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding))),
          )([t4([2, 6, 7, 3]), t4([3, 3, 3, 4])]),
      ],
      [
        `conv2d gradients, large images ${padding} ${stride}`,
        () =>
          tf.grads((x: tf.Tensor, w: tf.Tensor) =>
            tf.sum(tf.square(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding))),
          )([t4([2, 12, 13, 2]), t4([2, 3, 2, 2])]),
      ],
      ...(
        [
          [3, 3],
          [2, 3],
          [1, 1],
        ] as const
      ).map(
        ([height, width]): Case => [
          `conv2d and gradients, fewer places than channels, ${padding} ${stride} ${height}×${width}`,
          () => {
            const [x, w] = [t4([2, 5, 4, 3]), t4([height, width, 3, 24])];
            const apply = (x: tf.Tensor, w: tf.Tensor): tf.Tensor =>
              tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding);
            return [apply(x, w), ...tf.grads((x: tf.Tensor, w: tf.Tensor) => tf.sum(tf.square(apply(x, w))))([x, w])];
          },
        ],
      ),
      [
        `conv2d gradients, more channels in than out ${padding} ${stride}`,
        () =>
          tf.grads((x: tf.Tensor, w: tf.Tensor) =>
            tf.sum(tf.square(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding))),
          )([t4([2, 6, 7, 6]), t4([3, 3, 6, 4])]),
      ],
      [
        `depthwise gradients ${padding} ${stride}`,
        () =>
          tf.grads((x: tf.Tensor, w: tf.Tensor) =>
            tf.sum(tf.square(tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding))),
          )([t4([2, 6, 7, 3]), t4([3, 3, 3, 2])]),
      ],
      [
        `depthwise gradients, large windows, ${padding} ${stride}`,
        () =>
          tf.grads((x: tf.Tensor, w: tf.Tensor) =>
            tf.sum(tf.square(tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding))),
          )([t4([2, 8, 7, 3]), t4([5, 6, 3, 2])]),
      ],
      [
        `maxPool gradient ${padding} ${stride}`,
        () => [
          tf.maxPool(t4([2, 6, 7, 3]), 3, stride, padding),
          tf.grad((x: tf.Tensor) => tf.sum(tf.square(tf.maxPool(x as tf.Tensor4D, 3, stride, padding))))(
            t4([2, 6, 7, 3]),
          ),
        ],
      ],
      [`avgPool ${padding} ${stride}`, () => tf.avgPool(t4([2, 6, 7, 3]), 3, stride, padding)],
      [
        `avgPool gradient ${stride}`,
        () =>
          tf.grad((x: tf.Tensor) => tf.sum(tf.square(tf.avgPool(x as tf.Tensor4D, 3, stride, "valid"))))(
            t4([2, 6, 7, 3]),
          ),
      ],
    ]),
  ),
  [
    "maxPool gradient where windows tile, with ties",
    () =>
      tf.grad((x: tf.Tensor) => tf.sum(tf.mul(tf.maxPool(x as tf.Tensor4D, 2, 2, "valid"), seq([2, 2, 2, 3]))))(
        tf.relu(t4([2, 4, 4, 3])),
      ),
  ],
  [
    "maxPool gradient of 3 by 3 tiles",
    () =>
      tf.grad((x: tf.Tensor) => tf.sum(tf.mul(tf.maxPool(x as tf.Tensor4D, 3, 3, "valid"), seq([2, 2, 2, 3]))))(
        t4([2, 6, 6, 3]),
      ),
  ],
  [
    "avgPool gradient where windows tile",
    () => tf.grad((x: tf.Tensor) => tf.sum(tf.square(tf.avgPool(x as tf.Tensor4D, 2, 2, "valid"))))(t4([2, 4, 4, 3])),
  ],
  ["dilated conv2d", () => tf.conv2d(t4([2, 8, 8, 3]), t4([3, 3, 3, 4]), 1, "same", "NHWC", 2)],
  ["conv2dTranspose", () => tf.conv2dTranspose(t4([2, 4, 4, 3]), t4([3, 3, 5, 3]), [2, 8, 8, 5], 2, "same")],
  ["conv1d", () => tf.conv1d(seq([2, 8, 3]) as tf.Tensor3D, seq([3, 3, 4]) as tf.Tensor3D, 1, "same")],
  ["separableConv2d", () => tf.separableConv2d(t4([2, 6, 6, 3]), t4([3, 3, 3, 2]), t4([1, 1, 6, 4]), 1, "same")],
];

agreesWithReference("The backend computes what tfjs-cpu computes", cases);

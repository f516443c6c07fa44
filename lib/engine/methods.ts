/// <reference types="@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js" preserve="true" />
/**
 * Operations as methods of tensors: `x.square().mean()`.
 *
 * TensorFlow.js has them in its browser bundle alone, though parts of tf.layers (orthogonal initializers) use them everywhere.
 */
import * as tf from "@tensorflow/tfjs-core";

type Op = (...args: unknown[]) => unknown;
const ops = tf as unknown as Record<string, Op>;
const methods = tf.Tensor.prototype as unknown as Record<string, Op>;

function method(name: string, body: (x: tf.Tensor, ...args: never[]) => unknown): void {
  methods[name] ??= function (this: tf.Tensor, ...args: unknown[]) {
    (this as unknown as { throwIfDisposed(): void }).throwIfDisposed();
    return body(this, ...(args as never[]));
  };
}

// Those whose first argument is the tensor.
for (const name of `abs acos acosh add all any argMax argMin asin asinh atan atan2 atanh avgPool batchNorm batchToSpaceND broadcastTo
  cast ceil clipByValue conv1d conv2d conv2dTranspose cos cosh cumprod cumsum depthToSpace depthwiseConv2d dilation2d div divNoNan dot
  elu equal erf euclideanNorm exp expandDims expm1 fft floor floorDiv gather greater greaterEqual ifft irfft isFinite isInf isNaN
  leakyRelu less lessEqual localResponseNormalization log log1p logSigmoid logSoftmax logSumExp logicalAnd logicalNot logicalOr
  logicalXor matMul max maxPool maximum mean min minimum mirrorPad mod mul neg norm notEqual oneHot onesLike pad pool pow prelu prod
  reciprocal relu relu6 reshape reverse rfft round rsqrt selu separableConv2d sigmoid sign sin sinh slice softmax softplus
  spaceToBatchND split sqrt square squaredDifference squeeze step stridedSlice sub sum tan tanh tile topk transpose unique
  unsortedSegmentSum unstack zerosLike`.split(/\s+/))
  method(name, (x, ...args) => (ops[name] ?? (tf.spectral as unknown as Record<string, Op>)[name])!(x, ...args));

for (const name of ["resizeBilinear", "resizeNearestNeighbor"] as const)
  method(name, (x, size: [number, number], ...args: []) => tf.image[name](x as tf.Tensor4D, size, ...args));
for (const rank of [2, 3, 4, 5]) method(`as${rank}D`, (x, ...shape: number[]) => tf.reshape(x, shape));
for (const name of ["as1D", "flatten"]) method(name, (x) => tf.reshape(x, [x.size]));
for (const [name, dtype] of [
  ["toBool", "bool"],
  ["toFloat", "float32"],
  ["toInt", "int32"],
] as const)
  method(name, (x) => tf.cast(x, dtype));
method("asType", (x, dtype: tf.DataType) => tf.cast(x, dtype));
method("asScalar", (x) => tf.reshape(x, []));
method("reshapeAs", (x, other: tf.Tensor) => tf.reshape(x, other.shape));
method("concat", (x, others: tf.Tensor | tf.Tensor[], axis?: number) => tf.concat([x, ...[others].flat()], axis));
method("stack", (x, others: tf.Tensor | tf.Tensor[], axis?: number) => tf.stack([x, ...[others].flat()], axis));
method("where", (x, condition: tf.Tensor, other: tf.Tensor) => tf.where(condition, x, other));

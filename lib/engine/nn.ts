/**
 * Pieces of networks whose gradients are worth writing by hand: each costs a third of the operations of its derivation.
 *
 * All are ordinary TensorFlow.js functions and can be differentiated again.
 */
import * as tf from "@tensorflow/tfjs-core";

type GradFunction = (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[];
const custom = (
  fn: (inputs: tf.Tensor[]) => tf.Tensor,
  gradient: (dy: tf.Tensor, inputs: tf.Tensor[]) => tf.Tensor[],
  inputs: readonly tf.Tensor[],
  constants: readonly tf.Tensor[] = [],
): tf.Tensor =>
  tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const given = args.slice(0, -1) as tf.Tensor[];
    // What the gradient needs is computed again from the inputs: in a compiled function, and in a lazy one, for nothing.
    (args.at(-1) as tf.GradSaveFunc)([...given, ...constants]);
    return { value: fn(given), gradFunc: gradient as GradFunction };
  })(...inputs);

/**
 * `x · kernel + bias` exactly, of whose gradient with respect to the kernel only some rows of `x` are kept: an unbiased estimate.
 *
 * With `p_i` the share of `‖x_i‖` in the sum over rows, the j largest are kept as they are and `k − j` others drawn with replacement by what is left of p, each
 * multiplied by `(1 − P_j) / ((k − j) p_i)`, P_j being the sum of the j largest; j is where `(1 − P_j) / (k − j)` is least. `x` is `[n, d]`; `uniforms`, `[k]` of
 * [0, 1), draw. The gradients with respect to `x` and the bias are exact. Liu et al. 2023 (WTA-CRS), arXiv:2305.15265, eq. 6 and theorem 2.
 *
 * @example
 * ```ts
 * import { nn, tf } from "thalweg";
 * const y = nn.sampledProduct(tf.tensor2d([[1, 2], [3, 4]]), tf.ones([2, 1]), tf.zeros([1]), tf.tensor1d([0.5]));
 * [...y.dataSync()]; // [3, 7]
 * ```
 */
export function sampledProduct(x: tf.Tensor2D, kernel: tf.Tensor2D, bias: tf.Tensor, uniforms: tf.Tensor): tf.Tensor {
  return tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [x, kernel, bias, uniforms] = args as [tf.Tensor2D, tf.Tensor2D, tf.Tensor, tf.Tensor];
    const { at, scale } = winners(x, uniforms);
    const kept = tf.mul(tf.gather(x, at), tf.expandDims(scale, 1)) as tf.Tensor2D;
    (args.at(-1) as tf.GradSaveFunc)([kernel, kept, at]);
    // Rows are kept before the product is there, so that nothing else of x has to wait for the gradient.
    const first = tf.mul(tf.slice(tf.reshape(kept, [kept.size]), [0], [1]), 0);
    return {
      value: tf.add(tf.matMul(x, kernel), tf.add(bias, first)),
      gradFunc: ((dy: tf.Tensor2D, saved: tf.Tensor[]) => {
        const [kernel, kept, at] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
        return [
          tf.matMul(dy, kernel, false, true),
          tf.matMul(kept, tf.gather(dy, at) as tf.Tensor2D, true, false),
          tf.sum(dy, 0),
          tf.zeros(uniforms.shape),
        ];
      }) as GradFunction,
    };
  })(x, kernel, bias, uniforms);
}

/** The rows that are kept of a table, and what each is multiplied by. */
function winners(x: tf.Tensor2D, uniforms: tf.Tensor): { readonly at: tf.Tensor1D; readonly scale: tf.Tensor } {
  const [n, k] = [x.shape[0], uniforms.shape[0]!];
  const norms = tf.add(tf.sqrt(tf.sum(tf.square(x), 1)), 1e-8);
  const { values, indices } = tf.topk(tf.div(norms, tf.sum(norms)), n);
  const sums = tf.cumsum(values, 0);
  // (1 − P_j) / (k − j) for j = 0 … k − 1
  const before = tf.slice(tf.concat([tf.zeros([1]), sums], 0), [0], [k]);
  const rest = tf.relu(tf.sub(1, before));
  const places = tf.range(0, k);
  const scores = tf.div(rest, tf.sub(k, places));
  const j = tf.cast(tf.argMin(scores, 0), "float32");
  const found = tf.cast(tf.equal(places, j), "float32");
  const outside = tf.sum(tf.mul(rest, found));
  const wanted = tf.add(tf.sub(1, outside), tf.mul(uniforms, outside));
  const below = tf.cast(tf.lessEqual(tf.expandDims(sums, 0), tf.expandDims(wanted, 1)), "float32");
  const drawn = tf.minimum(tf.maximum(tf.sum(below, 1), j), n - 1);
  const sure = tf.less(places, j);
  const place = tf.cast(tf.where(sure, places, drawn), "int32") as tf.Tensor1D;
  const p = tf.gather(values, place);
  const scale = tf.where(sure, tf.onesLike(places), tf.div(outside, tf.mul(p, tf.sub(k, j))));
  return { at: tf.gather(indices, place) as tf.Tensor1D, scale };
}

/** What a batch says about its channels. */
export interface BatchMoments {
  /** Mean of each channel, `[c]`. */
  readonly mean: tf.Tensor;
  /** Biased variance of each channel, `[c]`. */
  readonly variance: tf.Tensor;
}

function centre(x: tf.Tensor, axes: number[], epsilon: number, keepDims: boolean) {
  const mean = tf.mean(x, axes, keepDims);
  const centred = tf.sub(x, mean);
  const variance = tf.mean(tf.square(centred), axes, keepDims);
  return { mean, centred, variance, inverse: tf.rsqrt(tf.add(variance, epsilon)) };
}

/**
 * Normalises each channel (the last axis) by the mean and variance of the batch.
 *
 * Ioffe and Szegedy 2015, algorithm 1. Gives the moments too, for running averages; no gradient flows through those.
 *
 * @example
 * ```ts
 * import { nn, tf } from "thalweg";
 * const { y, mean } = nn.batchNormalise(tf.tensor2d([[1, 10], [3, 30]]), tf.ones([2]), tf.zeros([2]));
 * [...mean.dataSync()]; // [2, 20]
 * y.shape; // [2, 2]
 * ```
 */
export function batchNormalise(
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  epsilon = 1e-5,
): BatchMoments & { readonly y: tf.Tensor } {
  const axes = x.shape.map((_, i) => i).slice(0, -1);
  const count = x.size / x.shape.at(-1)!;
  const y = custom(
    ([x, scale, shift]) => {
      const { centred, inverse } = centre(x!, axes, epsilon, false);
      return tf.add(tf.mul(centred, tf.mul(inverse, scale!)), shift!);
    },
    (dy, [x, scale]) => {
      const { centred, inverse } = centre(x!, axes, epsilon, false);
      const dShift = tf.sum(dy, axes);
      const dScale = tf.mul(tf.sum(tf.mul(dy, centred), axes), inverse);
      const slope = tf.mul(inverse, scale!);
      const back = tf.mul(tf.mul(slope, inverse), tf.div(dScale, count));
      const dx = tf.sub(tf.mul(tf.sub(dy, tf.div(dShift, count)), slope), tf.mul(centred, back));
      return [dx, dScale, dShift];
    },
    [x, scale, shift],
  );
  const { mean, variance } = tf.tidy(() => {
    const { mean, variance } = centre(x, axes, epsilon, false);
    return { mean, variance };
  });
  return { y, mean, variance };
}

/**
 * Normalises each example over its last axis.
 *
 * Ba, Kiros and Hinton 2016. `scale` and `shift` are vectors over the last axis.
 */
export function layerNormalise(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, epsilon = 1e-5): tf.Tensor {
  const axis = [x.shape.length - 1];
  const width = x.shape.at(-1)!;
  const others = x.shape.map((_, i) => i).slice(0, -1);
  return custom(
    ([x, scale, shift]) => {
      const { centred, inverse } = centre(x!, axis, epsilon, true);
      return tf.add(tf.mul(tf.mul(centred, inverse), scale!), shift!);
    },
    (dy, [x, scale]) => {
      const { centred, inverse } = centre(x!, axis, epsilon, true);
      const normal = tf.mul(centred, inverse);
      const dNormal = tf.mul(dy, scale!);
      const share = tf.mul(dy, normal);
      // The mean of dNormal · normal over each row, as a product with what all rows share.
      const sums = tf.matMul(tf.reshape(share, [-1, width]), tf.reshape(tf.div(scale!, width), [width, 1]));
      const across = tf.reshape(sums, [...x!.shape.slice(0, -1), 1]);
      const dx = tf.mul(tf.sub(tf.sub(dNormal, tf.mean(dNormal, axis, true)), tf.mul(normal, across)), inverse);
      return [dx, tf.sum(share, others), tf.sum(dy, others)];
    },
    [x, scale, shift],
  );
}

/** Divides each example by the root mean square of its last axis, and multiplies it by `scale`. Zhang and Sennrich 2019, arXiv:1910.07467, equation 4. */
export function rmsNormalise(x: tf.Tensor, scale: tf.Tensor, epsilon = 1e-6): tf.Tensor {
  const inverseOf = (x: tf.Tensor): tf.Tensor => tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
  return custom(
    ([x, scale]) => tf.mul(tf.mul(x!, inverseOf(x!)), scale!),
    (dy, [x, scale]) => {
      const inverse = inverseOf(x!);
      const normal = tf.mul(x!, inverse);
      const dNormal = tf.mul(dy, scale!);
      const dx = tf.mul(tf.sub(dNormal, tf.mul(normal, tf.mean(tf.mul(dNormal, normal), -1, true))), inverse);
      return [dx, tf.sum(tf.reshape(tf.mul(dy, normal), [-1, scale!.size]), 0)];
    },
    [x, scale],
  );
}

/**
 * Normalises groups of channels of each image: `[n, height, width, c]` with `c` divisible by `groups`.
 *
 * Wu and He 2018. One group is layer normalisation of images, `c` groups are instance normalisation.
 */
export function groupNormalise(
  x: tf.Tensor,
  groups: number,
  scale: tf.Tensor,
  shift: tf.Tensor,
  epsilon = 1e-5,
): tf.Tensor {
  const channels = x.shape.at(-1)!;
  if (channels % groups !== 0)
    throw new RangeError(
      `groupNormalise: a number of groups that divides ${channels} channels is required, got ${groups}`,
    );
  const places = x.size / x.shape[0]! / channels;
  const split = [x.shape[0]!, places, groups, channels / groups];
  const axes = [1, 3];
  const normal = custom(
    ([x]) => {
      const { centred, inverse } = centre(x!, axes, epsilon, true);
      return tf.mul(centred, inverse);
    },
    (dy, [x]) => {
      const { centred, inverse } = centre(x!, axes, epsilon, true);
      const normal = tf.mul(centred, inverse);
      const across = tf.mean(tf.mul(dy, normal), axes, true);
      return [tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, axes, true)), tf.mul(normal, across)), inverse)];
    },
    [tf.reshape(x, split)],
  );
  return tf.add(tf.mul(tf.reshape(normal, x.shape), scale), shift);
}

/**
 * Cross-entropy of each row of logits, `[n, classes]`, with whole-number labels, `[n]`.
 *
 * The gradient is the softmax less one at the label.
 */
export function crossEntropies(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const columns = logits.shape.at(-1)!;
  const target = (labels: tf.Tensor): tf.Tensor =>
    columns === 1 // which oneHot does not know
      ? tf.cast(tf.equal(tf.expandDims(labels, -1), 0), "float32")
      : tf.oneHot(tf.cast(labels, "int32") as tf.Tensor1D, columns, 1, 0, "float32");
  return custom(
    ([logits]) => tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits!), target(labels)), -1)),
    (dy, [logits, labels]) => [tf.mul(tf.sub(tf.exp(tf.logSoftmax(logits!)), target(labels!)), tf.expandDims(dy, -1))],
    [logits],
    [labels],
  );
}

/** Sums over the axes along which `shape` was broadcast. */
function sumTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const added = x.rank - shape.length;
  const axes = x.shape.flatMap((dim, i) => (i < added || (shape[i - added] === 1 && dim !== 1) ? [i] : []));
  return axes.length === 0 ? x : tf.reshape(tf.sum(x, axes), [...shape]);
}

/**
 * Scaled dot-product attention of queries `[…, t, d]`, keys and values `[…, s, d]`.
 *
 * Vaswani et al. 2017, equation 1. `mask` is added to the scores before the softmax (−∞, or −1e9, hides a place).
 * The gradient needs no products but those of matrices: rows of dP ∘ P sum to those of dO ∘ O (Dao et al. 2022, appendix B).
 */
export function attention(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, mask?: tf.Tensor): tf.Tensor {
  const scale = 1 / Math.sqrt(queries.shape.at(-1)!);
  const weigh = (queries: tf.Tensor, keys: tf.Tensor, mask?: tf.Tensor): tf.Tensor => {
    const scores = tf.matMul(tf.mul(queries, scale), keys, false, true);
    return tf.softmax(mask ? tf.add(scores, mask) : scores);
  };
  return custom(
    ([queries, keys, values, mask]) => tf.matMul(weigh(queries!, keys!, mask), values!),
    (dy, [queries, keys, values, mask]) => {
      const weights = weigh(queries!, keys!, mask);
      const across = tf.sum(tf.mul(dy, tf.matMul(weights, values!)), -1, true);
      const dScores = tf.mul(weights, tf.sub(tf.matMul(dy, values!, false, true), across));
      const dQueries = tf.mul(tf.matMul(dScores, keys!), scale);
      const dKeys = tf.matMul(dScores, tf.mul(queries!, scale), true);
      const dInputs = [dQueries, dKeys, tf.matMul(weights, dy, true)];
      return mask ? [...dInputs, sumTo(dScores, mask.shape)] : dInputs;
    },
    mask ? [queries, keys, values, mask] : [queries, keys, values],
  );
}

/**
 * The Gaussian error linear unit, x · Φ(x): "exact", or "tanh", its usual approximation x · σ(2u) with u = √(2/π) (x + 0.044715 x³).
 *
 * Hendrycks and Gimpel 2016, section 2; ½ (1 + tanh u) there is σ(2u) here. The default is "tanh".
 *
 * @example
 * ```ts
 * import { nn, tf } from "thalweg";
 * nn.gelu(tf.tensor1d([0, 10])).arraySync(); // [0, 10]
 * ```
 */
export function gelu(x: tf.Tensor, form: "tanh" | "exact" = "tanh"): tf.Tensor {
  if (form === "exact") return exactGelu(x);
  const linear = 2 * Math.sqrt(2 / Math.PI);
  const cubic = 0.044715 * linear;
  const gate = (x: tf.Tensor): tf.Tensor => tf.sigmoid(tf.mul(x, tf.add(tf.mul(tf.square(x), cubic), linear)));
  return custom(
    ([x]) => tf.mul(x!, gate(x!)),
    (dy, [x]) => {
      const open = gate(x!);
      const slope = tf.add(tf.mul(tf.square(x!), 3 * cubic), linear);
      return [tf.mul(dy, tf.add(open, tf.mul(tf.mul(tf.mul(x!, open), tf.sub(1, open)), slope)))];
    },
    [x],
  );
}

function exactGelu(x: tf.Tensor): tf.Tensor {
  const below = (x: tf.Tensor): tf.Tensor => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
  return custom(
    ([x]) => tf.mul(x!, below(x!)),
    (dy, [x]) => {
      const density = tf.mul(tf.exp(tf.mul(tf.square(x!), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [tf.mul(dy, tf.add(below(x!), tf.mul(x!, density)))];
    },
    [x],
  );
}

/**
 * The sigmoid linear unit, x · σ(x).
 *
 * Elfwing, Uchibe and Doya 2017, arXiv:1702.03118.
 */
export function silu(x: tf.Tensor): tf.Tensor {
  return custom(
    ([x]) => tf.mul(x!, tf.sigmoid(x!)),
    (dy, [x]) => {
      const open = tf.sigmoid(x!);
      return [tf.mul(dy, tf.add(open, tf.mul(tf.mul(x!, open), tf.sub(1, open))))];
    },
    [x],
  );
}

/** How `convolve` goes over an image. */
export interface Convolving {
  /** Step between windows. Default 1. */
  readonly stride?: number;
  /** Step between the pixels of a window. Default 1; one of the two is 1. */
  readonly dilation?: number;
  /** Default "same". */
  readonly pad?: "same" | "valid";
  /** Whether each channel has filters of its own, `[height, width, channels, multiplier]`. Default false. */
  readonly depthwise?: boolean;
}

/**
 * A convolution of images `[n, height, width, channels]` with filters `[height, width, channels, filters]` that can be dilated or depthwise,
 * with the gradients that TensorFlow.js lacks there. Those can be differentiated again.
 *
 * @example
 * ```ts
 * import { nn, tf } from "thalweg";
 * const row = tf.tensor4d([1, 2, 3, 4, 5], [1, 1, 5, 1]);
 * [...nn.convolve(row, tf.ones([1, 2, 1, 1]), { dilation: 3, pad: "valid" }).dataSync()]; // [5, 7]
 * ```
 */
export function convolve(x: tf.Tensor, filter: tf.Tensor, how: Convolving = {}): tf.Tensor {
  const { stride = 1, dilation = 1, pad = "same", depthwise = false } = how;
  // Other backends than the engine's own know no gradients of dilated filters: there zeros are put between the numbers of the filter.
  if (dilation > 1 && tf.getBackend() !== "thalweg")
    return convolve(x, spread(filter, dilation), { stride, pad, depthwise });
  const run = (kernel: string, inputs: { [name: string]: tf.Tensor }, shapes: object = {}): tf.Tensor =>
    tf.engine().runKernel(`${depthwise ? "DepthwiseConv2dNative" : "Conv2D"}${kernel}`, inputs, {
      strides: [stride, stride],
      dilations: [dilation, dilation],
      pad,
      dataFormat: "NHWC",
      ...shapes,
    } as never) as tf.Tensor;
  const forward = (x: tf.Tensor, filter: tf.Tensor): tf.Tensor =>
    custom(
      ([x, filter]) => run("", { x: x!, filter: filter! }),
      (dy, [x, filter]) => [ofInput(dy, filter!, x!.shape), ofFilter(x!, dy, filter!.shape)],
      [x, filter],
    );
  const ofInput = (dy: tf.Tensor, filter: tf.Tensor, inputShape: readonly number[]): tf.Tensor =>
    custom(
      ([dy, filter]) => run("BackpropInput", { dy: dy!, filter: filter! }, { inputShape }),
      (dx, [dy, filter]) => [forward(dx, filter!), ofFilter(dx, dy!, filter!.shape)],
      [dy, filter],
    );
  const ofFilter = (x: tf.Tensor, dy: tf.Tensor, filterShape: readonly number[]): tf.Tensor =>
    custom(
      ([x, dy]) => run("BackpropFilter", { x: x!, dy: dy! }, { filterShape }),
      (dw, [x, dy]) => [ofInput(dy!, dw, x!.shape), forward(x!, dw)],
      [x, dy],
    );
  return forward(x, filter);
}

/** A filter with zeros between its numbers. */
function spread(filter: tf.Tensor, dilation: number): tf.Tensor {
  const apart = (f: tf.Tensor, axis: number): tf.Tensor => {
    const zeros = tf.zeros(f.shape.map((dim, i) => (i === axis ? dilation - 1 : dim)));
    const rows = tf.split(f, f.shape[axis]!, axis);
    return tf.concat(
      rows.flatMap((row, i) => (i === 0 ? [row] : [zeros, row])),
      axis,
    );
  };
  return apart(apart(filter, 0), 1);
}

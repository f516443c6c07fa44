import { nn, type Rng, tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { leave } from "../../parts/depths.ts";
import { type HyperKernel, hyperKernel, hyperKernelParams } from "../../parts/hyper-kernel.ts";
import { product } from "../../parts/product.ts";

/** Options of `hyperZzw`. */
export interface HyperZzwOptions {
  /** The sides of the windows of the four local branches, odd. Default [3, 9, 5, 7]. */
  readonly windows?: readonly [number, number, number, number];
  /** Units of the networks that draw kernels. Default 32. */
  readonly hidden?: number;
  /** Products of filters in them. Default 2. */
  readonly depth?: number;
  /** How fast their sines are. Default 1. */
  readonly omega?: number;
  /** Groups of channels at the end, normalised in turns over the batch and over each example. Default 4. */
  readonly groups?: number;
  /** What the mean square distance of the whole-image kernels of two such layers costs in training. Default 1. */
  readonly feedback?: number;
}

const epsilon = 1e-5;
const momentum = 0.1;
const ends = ["slow", "fast"] as const;
const locals = [0, 1, 2, 3].map((i) => `local${i + 1}`);

/**
 * Convolutions with kernels that depend on what they see: a slow network draws kernels as functions of their places, a fast one multiplies them with the image, and the image is convolved with
 * that (HyperZ·Z·W). Square images `[n, side, side, channels]` become `[n, side, side, units]`, with no shortcut.
 *
 * Ten branches lie side by side before a convolution of 1×1: of a kernel W as large as the image the products of the matrices `(x ∘ W)` and of `f`, of a mixture of channels and of what channels
 * say of each other; the first through a gate; four depthwise convolutions whose kernels see the mean of the batch; `f` itself, of two recursive gated units; the image by the scores of its
 * channels and places. All are standardised, none has a trained scale. At the end groups of channels are standardised over the batch and over each example in turns.
 *
 * Several such layers in one model give the slow networks an error of their own in training: their whole-image kernels, repeated to equally many channels, are drawn to each other where their
 * images are of one size. `terminator` is a chain of them.
 *
 * Implements: P003 HyperZZW
 *
 * Zhang 2024, "HyperZ·Z·W operator connects slow-fast networks for full context interaction", arXiv:2401.17948, and the author's program. Differs from the program: at test time what is a mean over
 * the batch in training (local kernels, standardisation) is a running one; blocks do not see the outputs of blocks before the last; all slow networks are as wide and as deep; frequencies, which
 * its settings leave open, begin by `omega`.
 *
 * @throws RangeError for images that are not square, even windows, and units that the groups do not divide.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().hyperZzw(8, { hidden: 8 }).hyperZzw(16, { hidden: 8 }).globalPool().features([8, 8, 1]); // [16]
 * ```
 */
export const hyperZzw = layer(
  "hyperZzw",
  { accepts: ["image"], gives: "image" },
  (
    units: number,
    { windows = [3, 9, 5, 7], hidden = 32, depth = 2, omega = 1, groups = 4, feedback = 1 }: HyperZzwOptions = {},
  ) => {
    for (const [name, value] of Object.entries({ units, hidden, depth, groups })) requireCount("hyperZzw", name, value);
    if (windows.length !== 4 || windows.some((side) => !Number.isInteger(side) || side < 1 || side % 2 === 0))
      throw new RangeError(`hyperZzw: four odd windows are required, got [${windows}]`);
    if (units % groups !== 0)
      throw new RangeError(`hyperZzw: units that ${groups} groups divide are required, got ${units}`);
    if (!(omega > 0 && feedback >= 0))
      throw new RangeError(
        `hyperZzw: an omega above 0 and a feedback of at least 0 are required, got ${omega} and ${feedback}`,
      );
    const slow = (sides: readonly number[], channels: number, context?: number): HyperKernel => ({
      sides,
      channels,
      hidden,
      depth,
      omega,
      ...(context !== undefined && { context }),
    });
    /** The kernels of a layer on images of some size, by the names of their networks. */
    const kernels = (side: number, channels: number): Record<string, HyperKernel> => ({
      whole: slow([side, side], channels),
      channels: slow([channels], 1),
      scoreChannels: slow([channels], 1),
      scorePlaces: slow([side, side], 1),
      ...Object.fromEntries(locals.map((name, i) => [name, slow([windows[i]!, windows[i]!], channels, channels)])),
    });
    return {
      options: { units, windows: [...windows], hidden, depth, omega, groups, feedback },
      shape(input) {
        if (input.length !== 3 || input[0] !== input[1])
          throw new RangeError(`hyperZzw: a square image [side, side, channels] is required, got shape [${input}]`);
        return [input[0]!, input[1]!, units];
      },
      init(rng, [side, , channels]): Params {
        const mixing = (at: Rng, inputs: number, units: number): Params => ({
          kernel: drawWeights("he", at, [inputs, units], inputs, units),
          bias: tf.zeros([units]),
        });
        const gated = (at: Rng): Params => {
          const bound = Math.sqrt(3 / channels!);
          const one = (name: string): Params => ({
            kernel: at.at(name).uniforms([channels!, channels!], -bound, bound),
            bias: tf.zeros([channels!]),
          });
          return {
            key: one("key"),
            value: one("value"),
            query: one("query"),
            place: { bias: tf.zeros([side!, side!, 1]) },
            out: one("out"),
          };
        };
        return {
          kernels: Object.fromEntries(
            Object.entries(kernels(side!, channels!)).map(([name, how]) => [
              name,
              hyperKernelParams(rng.at(name), how),
            ]),
          ),
          ...Object.fromEntries(ends.map((name) => [name, gated(rng.at("gated", name))])),
          mixer: mixing(rng.at("mixer"), channels!, channels!),
          ...Object.fromEntries(
            locals.map((name) => [
              name,
              { mixer: mixing(rng.at("mixers", name), channels!, channels!), end: { bias: tf.zeros([1]) } },
            ]),
          ),
          bottleneck: mixing(rng.at("bottleneck"), 10 * channels!, units),
          end: { bias: tf.zeros([1]) },
        };
      },
      statistics([, , channels]): Params {
        const moments = (count: number): Params => ({ mean: tf.zeros([count]), variance: tf.ones([count]) });
        return {
          ...Object.fromEntries(
            locals.map((name, i) => [
              name,
              { context: tf.zeros([windows[i]! ** 2, channels!]), ...moments(channels!) },
            ]),
          ),
          end: moments(units),
        };
      },
      apply(x, params, mode, remembered = new Map()) {
        const [, side, , channels] = x.shape as [number, number, number, number];
        const how = kernels(side, channels);
        const drawn = (name: string, context?: tf.Tensor): tf.Tensor =>
          hyperKernel(how[name]!, (params.kernels as Params)[name] as Params, context);
        const whole = tf.reshape(drawn("whole"), [1, side, side, channels]);
        const all = leave("hyperZzw", whole, remembered);
        if (mode.training && feedback > 0)
          for (const before of all.slice(0, -1).filter((one) => one.shape[1] === side))
            mode.cost(tf.mul(apartBy(before, whole), feedback));

        const met = tf.mul(x, whole);
        const unit = (of: tf.Tensor, part: (typeof ends)[number]): tf.Tensor => {
          const [own, inner] = [params[part] as Params, mode.at(part)];
          const key = product(of, own, "key", inner);
          const query = product(product(of, own, "value", inner), own, "query", inner);
          const open = nn.gelu(standardised(tf.mul(key, query)), "exact");
          return product(tf.add(open, (own.place as Params).bias as tf.Tensor), own, "out", inner);
        };
        const fast = standardised(tf.add(unit(met, "slow"), unit(x, "fast")));
        const mixed = standardised(product(x, params, "mixer", mode));
        const told = standardised(tf.mul(x, tf.sigmoid(ofChannels(x, drawn("channels")))));

        const across = byChannel(met);
        const [out, outMixed, outTold] = [fast, mixed, told].map((of) => byPlace(tf.matMul(across, byChannel(of)))) as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        const places = tf.mean(out, 3, true);
        const placesKernel = tf.reshape(drawn("scorePlaces"), [1, side, side, 1]);
        const score = tf.mul(tf.mul(tf.square(places), placesKernel), ofChannels(out, drawn("scoreChannels")));
        const local = (i: number, seen: tf.Tensor, of: tf.Tensor): tf.Tensor => {
          const [name, window] = [locals[i]!, windows[i]!];
          const [own, inner] = [params[name] as Params, mode.at(name)];
          const context = averaged(inner, "context", tf.mean(pooled(seen, window), 0));
          const filter = tf.reshape(drawn(name, context), [window, window, channels, 1]);
          const y = product(nn.convolve(of, filter, { depthwise: true }), own, "mixer", inner);
          return tf.add(nn.gelu(overBatch(y, inner), "exact"), (own.end as Params).bias as tf.Tensor);
        };
        const [first, second, third, fourth] = [
          local(0, x, told),
          local(1, told, x),
          local(2, mixed, x),
          local(3, x, mixed),
        ];
        const open = tf.mul(tf.sigmoid(out), out);
        const scored = tf.mul(x, tf.sigmoid(score));
        const wide = tf.concat([out, second, fast, outMixed, first, open, third, outTold, fourth, scored], 3);
        const y = product(wide, params, "bottleneck", mode);
        const isBatch = tf.tensor1d(
          Array.from({ length: units }, (_, c) => (Math.floor((c * groups) / units) % 2 === 0 ? 1 : 0)),
        );
        const even = tf.add(tf.mul(overBatch(y, mode.at("end")), isBatch), tf.mul(standardised(y), tf.sub(1, isBatch)));
        return tf.add(nn.gelu(even, "exact"), (params.end as Params).bias as tf.Tensor);
      },
    };
  },
);

/** Each channel of each example, less its mean, by its deviation. */
function standardised(x: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, [1, 2], true);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)));
}

/** A running mean of a statistic: in training the batch's own, which goes into the running one. */
function averaged(mode: Mode, name: string, now: tf.Tensor, weight = 1): tf.Tensor {
  if (!mode.training) return mode.read(name);
  mode.write(name, tf.add(tf.mul(mode.read(name), 1 - momentum), tf.mul(now, momentum * weight)));
  return now;
}

/** Each channel, less its mean over the batch, by its deviation; the running variance is the unbiased one. */
function overBatch(x: tf.Tensor, mode: Mode): tf.Tensor {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const count = x.size / x.shape[3]!;
  const own = averaged(mode, "mean", mean);
  const spread = averaged(mode, "variance", variance, count / Math.max(1, count - 1));
  return tf.mul(tf.sub(x, own), tf.rsqrt(tf.add(spread, epsilon)));
}

/** What channels say of each other, `[n, 1, 1, channels]`: their means twice, by a kernel over the channels. */
function ofChannels(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  return tf.mul(tf.square(tf.mean(x, [1, 2], true)), tf.reshape(kernel, [1, 1, 1, -1]));
}

const byChannel = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 3, 1, 2]);
const byPlace = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 3, 1]);

/** Means over windows that share an image into so many rows and columns: `[n, window², channels]`. */
function pooled(x: tf.Tensor, window: number): tf.Tensor {
  const [n, side, , channels] = x.shape as [number, number, number, number];
  const rows = Array.from({ length: window }, (_, i) => {
    const [from, to] = [Math.floor((i * side) / window), Math.ceil(((i + 1) * side) / window)];
    return Array.from({ length: side }, (_, at) => (at >= from && at < to ? 1 / (to - from) : 0));
  });
  const shares = tf.tensor2d(rows, [window, side]);
  const turned = tf.matMul(tf.matMul(shares, byChannel(x)), shares, false, true);
  return tf.reshape(byPlace(turned), [n, window * window, channels]);
}

/** The mean square distance of two kernels, the first repeated to as many channels as the second has. */
function apartBy(first: tf.Tensor, second: tf.Tensor): tf.Tensor {
  const [had, needed] = [first.shape[3]!, second.shape[3]!];
  const times = Math.ceil(needed / had);
  const repeated = times === 1 ? first : tf.tile(first, [1, 1, 1, times]);
  return tf.mean(
    tf.squaredDifference(tf.slice(repeated, [0, 0, 0, 0], [1, ...second.shape.slice(1, 3), needed] as never), second),
  );
}

/** Kernels that a network draws as functions of where they lie: a product of filters of sines (a multiplicative filter network). */
import { nn, type Rng, tf, withoutGradient } from "../../engine/index.ts";
import type { Params } from "../model.ts";

/** How a kernel is drawn. */
export interface HyperKernel {
  /** The sides of the kernel, of one or two axes. */
  readonly sides: readonly number[];
  /** Units of the network. */
  readonly hidden: number;
  /** Products of filters. */
  readonly depth: number;
  /** By what the frequencies of the sines are multiplied at the beginning. */
  readonly omega: number;
  /** The kernel's channels. */
  readonly channels: number;
  /** Numbers of the context at each place, where the kernel depends on one. */
  readonly context?: number;
}

const points = (sides: readonly number[]): number => sides.reduce((a, b) => a * b, 1);

/** Where the numbers of a kernel lie, `[points, axes]`, from −1 to 1 along each axis, the last axis running first. */
function places(sides: readonly number[]): tf.Tensor2D {
  const rows = Array.from({ length: points(sides) }, (_, i) => {
    let rest = i;
    return [...sides]
      .reverse()
      .map((side) => {
        const at = rest % side;
        rest = Math.floor(rest / side);
        return side === 1 ? -1 : (2 * at) / (side - 1) - 1;
      })
      .reverse();
  });
  return tf.tensor2d(rows, [rows.length, sides.length]);
}

/** A number of the gamma distribution of a shape of at least 1 and a rate of 1 (Marsaglia and Tsang 2000). */
function gamma(rng: Rng, shape: number): number {
  const d = shape - 1 / 3;
  for (;;) {
    const z = rng.normal();
    const v = (1 + z / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - rng.uniform()) < 0.5 * z * z + d - d * v + d * Math.log(v)) return d * v;
  }
}

/**
 * The network's parameters: filters of sines whose frequencies are gamma distributed about 6, 3, 2, … (never below 1), linear layers between them whose biases begin as 1, a number
 * for each place, and what goes out, small enough for a sum over the kernel.
 */
export function hyperKernelParams(rng: Rng, how: HyperKernel): Params {
  const { sides, hidden, depth, omega, channels, context } = how;
  const axes = sides.length;
  const linear = (at: Rng, inputs: number, units: number, bias: number, scale = 1): Params => {
    const bound = scale * Math.sqrt(3 / inputs);
    return { kernel: at.uniforms([inputs, units], -bound, bound), bias: tf.fill([units], bias) };
  };
  const filter = (layer: number): Params => {
    const at = rng.at("filter", layer);
    const drawn = Array.from({ length: axes * hidden }, () => {
      const frequency = gamma(at, Math.max(1, 6 / (layer + 1)));
      return ((2 * at.uniform() - 1) / Math.sqrt(axes)) * 2 * Math.PI * omega * frequency;
    });
    return { kernel: tf.tensor2d(drawn, [axes, hidden]), bias: tf.zeros([hidden]) };
  };
  const layers = Array.from({ length: depth }, (_, i) => i + 1);
  return {
    ...Object.fromEntries([0, ...layers].map((i) => [`filter${i}`, filter(i)])),
    ...Object.fromEntries(layers.map((i) => [`linear${i}`, linear(rng.at("linear", i), hidden, hidden, 1)])),
    place: { bias: tf.zeros([points(sides)]) },
    out: linear(rng.at("out"), hidden, channels, 0, 1 / Math.sqrt(points(sides))),
    ...(context !== undefined && {
      context: linear(rng.at("context"), context, hidden, 0),
      enter: linear(rng.at("enter"), hidden, hidden, 0),
      ...Object.fromEntries(layers.map((i) => [`by${i}`, linear(rng.at("by", i), hidden, hidden, 1)])),
    }),
  };
}

/**
 * The kernel, `[points, channels]`: `h ← sin(W c + b) ∘ (L h + l) + m` from `h = sin(W c + b)` on, with the number m of each place, then `O h + o`.
 *
 * With a context `[points, numbers]` each of these is made of a constant and its direction, `h ← h + 0.1 h/‖h‖` of which the first has no gradient, and multiplied by what the
 * context says: `h ← h ∘ (B gelu(…) + b)`.
 */
export function hyperKernel({ sides, depth }: HyperKernel, params: Params, context?: tf.Tensor): tf.Tensor {
  const at = places(sides);
  const linear = (x: tf.Tensor, part: string): tf.Tensor => {
    const { kernel, bias } = params[part] as { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor };
    return tf.add(tf.matMul(x as tf.Tensor2D, kernel), bias);
  };
  const place = tf.expandDims((params.place as Params).bias as tf.Tensor, 1);
  const seen = context && nn.gelu(linear(linear(context, "context"), "enter"), "exact");
  let h = tf.sin(linear(at, "filter0"));
  for (let i = 1; i <= depth; i++) {
    h = tf.add(tf.mul(tf.sin(linear(at, `filter${i}`)), linear(h, `linear${i}`)), place);
    if (seen === undefined) continue;
    const own = h;
    const long = tf.maximum(tf.sqrt(tf.add(tf.sum(tf.square(own), 0, true), 1e-24)), 1e-12);
    h = tf.add(
      withoutGradient(() => tf.clone(own)),
      tf.mul(tf.div(own, long), 0.1),
    );
    h = tf.mul(h, linear(seen, `by${i}`));
  }
  return linear(h, "out");
}

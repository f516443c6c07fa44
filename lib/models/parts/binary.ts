/** Binary convolutions whose thresholds and activations are chosen by the time: what layers of a binary denoiser share. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import { requireCount } from "../layer.ts";
import type { Mode, Params } from "../model.ts";
import type { ParameterKind } from "../parameters.ts";
import { windows } from "./windows.ts";

/** Options of layers with binary convolutions. */
export interface SpansOptions {
  /** Into how many equal spans the times are divided, each with thresholds and activations of its own. Default 5; 1: the same ones at all times. */
  readonly spans?: number;
}

/** The kernel of a binary convolution as it is trained, and for each span what is added before the sign, and the activation: two additions and the slope below 0. */
export function binaryParams(rng: Rng, window: number, channels: number, filters: number, spans: number): Params {
  const kernel = [window, window, channels, filters];
  return {
    kernel: drawWeights("torch", rng.at("kernel"), kernel, window * window * channels, window * window * filters),
    threshold: tf.zeros([spans, channels]),
    before: tf.zeros([spans, filters]),
    slope: tf.fill([spans, filters], 0.25),
    after: tf.zeros([spans, filters]),
  };
}

/** Those of two binary convolutions that keep the number of channels. */
export function binaryPair(rng: Rng, window: number, channels: number, spans: number): Params {
  const one = (name: string): Params => binaryParams(rng.at(name), window, channels, channels, spans);
  return { first: one("first"), second: one("second") };
}

/** *Traced.* What two binary convolutions give of two images. */
export function binaryPasses(images: readonly [tf.Tensor, tf.Tensor], params: Params, mode: Mode): tf.Tensor[] {
  return ["first", "second"].map((name, i) => binaryPass(images[i]!, params[name] as Params, mode.at(name)));
}

/** The kind of a tensor of a binary convolution. */
export const binaryKind = (path: readonly string[]): ParameterKind => (path.at(-1) === "kernel" ? "weight" : "bias");

/** *Traced.* A binary convolution at the times that the network is told, and its input added to it where it has the same shape. */
export function binaryPass(x: tf.Tensor, params: Params, mode: Mode, stride = 1): tf.Tensor {
  const { kernel, threshold, before, slope, after } = params as { readonly [name: string]: tf.Tensor };
  const at = spanOf(mode, x.shape[0]!, threshold!.shape[0]!);
  const signs = mode.into(signOf(tf.add(x, chosen(threshold!, at)), (z) => softly(z)));
  const binary = binaryKernel(kernel!);
  const y = tf.conv2d(signs as tf.Tensor4D, binary as tf.Tensor4D, stride, "same");
  const window = kernel!.shape[0]!;
  const said = mode.tapped(signs, y, () => windows(signs, window, { stride, dilation: 1, pad: "same" }));
  const moved = tf.add(said, chosen(before!, at));
  const bent = tf.add(tf.maximum(moved, 0), tf.mul(chosen(slope!, at), tf.minimum(moved, 0)));
  const out = tf.add(bent, chosen(after!, at));
  return String(out.shape) === String(x.shape) ? tf.add(out, x) : out;
}

/** *Traced.* The signs of a kernel times the mean size of each filter; the gradient is that of the kernel itself where its numbers are within −1 and 1. */
function binaryKernel(kernel: tf.Tensor): tf.Tensor {
  const size = (w: tf.Tensor): tf.Tensor => tf.mean(tf.abs(w), [0, 1, 2], true);
  return signOf(kernel, (w) => tf.cast(tf.lessEqual(tf.abs(w), 1), "float32"), size);
}

/** *Traced.* The gradient that stands for that of a sign: that of two parabolas which go from −1 to 1. */
function softly(z: tf.Tensor): tf.Tensor {
  return tf.mul(tf.maximum(tf.sub(1, tf.abs(z)), 0), 2);
}

/** *Traced.* Signs, times a size if one is given, with a gradient of one's own. */
function signOf(z: tf.Tensor, slope: (z: tf.Tensor) => tf.Tensor, size?: (z: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.customGrad((given, save) => {
    const own = given as tf.Tensor;
    (save as tf.GradSaveFunc)([own]);
    return {
      value: size === undefined ? tf.sign(own) : tf.mul(tf.sign(own), size(own)),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, slope(saved!)),
    };
  })(z);
}

/** *Traced.* `[n, spans]`: a one at the span of each example's time, which is of 1000; null where there is one span. */
function spanOf(mode: Mode, n: number, spans: number): tf.Tensor | null {
  if (spans === 1) return null;
  // times are counts of steps times 1000 over all steps, so that a first step of a span may lie a rounding below it
  const share = tf.add(tf.mul(mode.beside("time") ?? tf.zeros([n]), spans / 1000), 1e-4);
  const span = tf.clipByValue(tf.floor(share), 0, spans - 1);
  return tf.cast(tf.oneHot(tf.cast(span, "int32"), spans), "float32");
}

/** *Traced.* The row of a table that each example's span has, with as many axes as images. */
function chosen(table: tf.Tensor, at: tf.Tensor | null): tf.Tensor {
  const rows = at === null ? table : tf.matMul(at as tf.Tensor2D, table as tf.Tensor2D);
  return tf.reshape(rows, [rows.shape[0]!, 1, 1, table.shape[1]!]);
}

/** Throws unless it is an image of a shape whose channels `by` divides. */
export function requireImage(where: string, input: readonly number[], by = 1): void {
  if (input.length !== 3)
    throw new RangeError(`${where}: an image [height, width, channels] is required, got shape [${input}]`);
  if (input[2]! % by !== 0) throw new RangeError(`${where}: channels that ${by} divides are required, got ${input[2]}`);
}

/** Throws unless it is a number of spans. */
export function requireSpans(where: string, spans: number): void {
  requireCount(where, "spans", spans);
}

/** How far sounds are apart to the ear. */
import { needWhole, withDefaults } from "../data/options.ts";
import { tf } from "../engine/index.ts";

/** Options of `spectralLoss`. */
export interface SpectralLossOptions {
  /** Lengths of the windows, in samples. Default 64, 128, 256, 512. */
  readonly sizes?: readonly number[];
  /** What differences of logarithms count, beside differences. Default 1. */
  readonly logarithms?: number;
}

/**
 * The multi-scale spectral loss of sounds `[n, samples]` or `[n, samples, 1]`: a scalar.
 *
 * For each length of window the mean absolute difference of the magnitudes of their short-time Fourier transforms, and that of their logarithms; the sum over lengths. Hann windows, three
 * quarters of which overlap; the end is filled with silence. Phases count nothing.
 *
 * Engel, Hantrakul, Gu and Roberts 2020, arXiv:2001.04643, section 4.2.1 (equation 4); logarithms of at least 1e−5.
 *
 * @throws RangeError when the sounds are not equally many and long.
 *
 * @example
 * ```ts
 * import { spectralLoss, tf } from "thalweg";
 * const [sound, silence] = [tf.sin(tf.range(0, 512)).reshape([1, 512]), tf.zeros([1, 512])];
 * spectralLoss(sound, sound).dataSync()[0]; // 0
 * spectralLoss(sound, silence).dataSync()[0]! > 1; // true
 * ```
 */
export function spectralLoss(target: tf.Tensor, sound: tf.Tensor, options: SpectralLossOptions = {}): tf.Scalar {
  const { sizes, logarithms } = withDefaults<Required<SpectralLossOptions>>("spectralLoss", options, {
    sizes: [64, 128, 256, 512],
    logarithms: 1,
  });
  for (const size of sizes) needWhole("spectralLoss", "sizes", size, 4);
  const flat = (x: tf.Tensor): tf.Tensor => (x.rank === 3 ? tf.squeeze(x, [2]) : x);
  const [a, b] = [flat(target), flat(sound)];
  if (a.rank !== 2 || String(a.shape) !== String(b.shape))
    throw new RangeError(
      `spectralLoss: two sounds [n, samples] of one shape are required, got [${target.shape}] and [${sound.shape}]`,
    );
  const log = (x: tf.Tensor): tf.Tensor => tf.log(tf.maximum(x, 1e-5));
  const terms = sizes.map((size) => {
    const [one, other] = [magnitudes(a, size), magnitudes(b, size)];
    const apart = tf.mean(tf.abs(tf.sub(one, other)));
    return logarithms === 0 ? apart : tf.add(apart, tf.mul(tf.mean(tf.abs(tf.sub(log(one), log(other)))), logarithms));
  });
  return tf.addN(terms) as tf.Scalar;
}

/** `[n, windows, size / 2 + 1]`. */
function magnitudes(x: tf.Tensor, size: number): tf.Tensor {
  const samples = x.shape[1]!;
  const hop = Math.floor(size / 4);
  const windows = Math.max(1, Math.ceil(samples / hop));
  const filled = tf.pad(x, [
    [0, 0],
    [0, (windows - 1) * hop + size - samples],
  ]);
  const at = Int32Array.from({ length: windows * size }, (_, i) => Math.floor(i / size) * hop + (i % size));
  const cut = tf.gather(filled, tf.tensor2d(at, [windows, size], "int32"), 1);
  const bins = Math.floor(size / 2) + 1;
  const wave = (of: (turns: number) => number): tf.Tensor2D => {
    const data = Float32Array.from({ length: size * bins }, (_, i) => {
      const [place, bin] = [Math.floor(i / bins), i % bins];
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * place) / size);
      return window * of((2 * Math.PI * ((place * bin) % size)) / size);
    });
    return tf.tensor2d(data, [size, bins]);
  };
  const rows = tf.reshape(cut, [-1, size]) as tf.Tensor2D;
  const [re, im] = [Math.cos, Math.sin].map((of) => tf.matMul(rows, wave(of)));
  // the root has a slope at 0 too
  const size2 = tf.add(tf.square(re!), tf.square(im!));
  return tf.reshape(tf.sub(tf.sqrt(tf.add(size2, 1e-12)), 1e-6), [x.shape[0]!, windows, bins]);
}

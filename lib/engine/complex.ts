/** Complex numbers as pairs of real tensors, which compile and have gradients; those of TensorFlow.js do not. */
import * as tf from "@tensorflow/tfjs-core";

/** Real and imaginary parts of one shape. */
export interface Complex {
  readonly re: tf.Tensor;
  readonly im: tf.Tensor;
}

/**
 * Arithmetic of complex numbers whose parts are tensors; shapes broadcast as with real ones.
 *
 * @example
 * ```ts
 * import { complex, tf } from "thalweg";
 * const i = { re: tf.scalar(0), im: tf.scalar(1) };
 * complex.times(i, i).re.dataSync()[0]; // -1
 * ```
 */
export const complex = {
  plus: (a: Complex, b: Complex): Complex => ({ re: tf.add(a.re, b.re), im: tf.add(a.im, b.im) }),
  minus: (a: Complex, b: Complex): Complex => ({ re: tf.sub(a.re, b.re), im: tf.sub(a.im, b.im) }),
  times: (a: Complex, b: Complex): Complex => ({
    re: tf.sub(tf.mul(a.re, b.re), tf.mul(a.im, b.im)),
    im: tf.add(tf.mul(a.re, b.im), tf.mul(a.im, b.re)),
  }),
  /** By a real factor. */
  scaled: (a: Complex, by: tf.Tensor | number): Complex => ({ re: tf.mul(a.re, by), im: tf.mul(a.im, by) }),
  conjugate: (a: Complex): Complex => ({ re: a.re, im: tf.neg(a.im) }),
  over: (a: Complex, b: Complex): Complex =>
    complex.scaled(complex.times(a, complex.conjugate(b)), tf.reciprocal(tf.add(tf.square(b.re), tf.square(b.im)))),
  exp: ({ re, im }: Complex): Complex => complex.scaled({ re: tf.cos(im), im: tf.sin(im) }, tf.exp(re)),
} as const;

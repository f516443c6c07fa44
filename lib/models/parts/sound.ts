/** What layers that make sound share: bounded numbers, and envelopes between frames. */
import { tf } from "../../engine/index.ts";

/**
 * Any number as a loudness above 0: `2 σ(x)^(ln 10) + 1e−7`, tenfold for every step of x where it is small.
 *
 * Engel et al. 2020, arXiv:2001.04643, appendix B.5 (equation 5).
 */
export function expSigmoid(x: tf.Tensor): tf.Tensor {
  // σ(x)^p as exp(−p softplus(−x)): no power of a number that may be 0
  return tf.add(tf.mul(tf.exp(tf.mul(tf.softplus(tf.neg(x)), -Math.log(10))), 2), 1e-7);
}

/** Numbers of frames, `[n, frames, channels]`, at `hop` samples for each: `[n, frames · hop, channels]`, in straight lines or along halves of Hann's window; the last frame's stay. */
export function envelope(x: tf.Tensor, hop: number, along: "line" | "hann"): tf.Tensor {
  const [n, frames, channels] = x.shape as [number, number, number];
  const weights = Float32Array.from({ length: hop }, (_, j) =>
    along === "line" ? j / hop : 0.5 - 0.5 * Math.cos((Math.PI * j) / hop),
  );
  const way = tf.tensor(weights, [1, 1, hop, 1]);
  const after = tf.concat([tf.slice(x, [0, 1], [n, frames - 1]), tf.slice(x, [0, frames - 1], [n, 1])], 1);
  const [from, to] = [x, after].map((one) => tf.expandDims(one, 2)) as [tf.Tensor, tf.Tensor];
  return tf.reshape(tf.add(tf.mul(from, tf.sub(1, way)), tf.mul(to, way)), [n, frames * hop, channels]);
}

/** A block of a transformer over what several experts make of an example. */
import { nn, type Rng, tf } from "../../engine/index.ts";

/** Its weights. A type, not an interface, so that it is a tree of tensors. */
export type Aggregator = {
  readonly scale: tf.Tensor;
  readonly shift: tf.Tensor;
  readonly asked: tf.Tensor;
  readonly out: tf.Tensor;
  readonly innerScale: tf.Tensor;
  readonly innerShift: tf.Tensor;
  readonly up: tf.Tensor;
  readonly down: tf.Tensor;
};

/** One that gives the mean of what the experts give. */
export function aggregatorOf(width: number, rng: Rng): Aggregator {
  const drawn = (name: string, from: number, to: number): tf.Tensor =>
    tf.tensor2d(rng.at(name).fillNormal(new Float32Array(from * to), 0, Math.sqrt(1 / from)), [from, to]);
  return {
    scale: tf.ones([width]),
    shift: tf.zeros([width]),
    asked: drawn("asked", width, 3 * width),
    out: tf.zeros([width, width]),
    innerScale: tf.ones([width]),
    innerShift: tf.zeros([width]),
    up: drawn("up", width, 2 * width),
    down: tf.zeros([2 * width, width]),
  };
}

/** *Traced.* `[n, experts, width]` to `[n, width]`: attention among the experts, a layer for each, and the mean. */
export function aggregated(at: Aggregator, experts: tf.Tensor): tf.Tensor {
  const [n, count, width] = experts.shape as [number, number, number];
  const flat = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [n * count, x.shape.at(-1)!]) as tf.Tensor2D;
  const asked = tf.matMul(flat(nn.layerNormalise(experts, at.scale, at.shift)), at.asked as tf.Tensor2D);
  const [q, k, v] = tf.split(tf.reshape(asked, [n, count, 3 * width]), 3, 2) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const seen = tf.matMul(tf.softmax(tf.div(tf.matMul(q, k, false, true), Math.sqrt(width))), v);
  const first = tf.add(flat(experts), tf.matMul(flat(seen), at.out as tf.Tensor2D));
  const inner = nn.gelu(
    tf.matMul(nn.layerNormalise(first, at.innerScale, at.innerShift) as tf.Tensor2D, at.up as tf.Tensor2D),
    "exact",
  );
  const second = tf.add(first, tf.matMul(inner as tf.Tensor2D, at.down as tf.Tensor2D));
  return tf.mean(tf.reshape(second, [n, count, width]), 1);
}

/** Numbers of four bits whose levels are those of a normal distribution. */
import { tf } from "../../engine/index.ts";

/** The sixteen levels of NF4 (Dettmers et al. 2023, "QLoRA", arXiv:2305.14314, appendix E), which have one for 0. */
export const normalLevels: readonly number[] = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/**
 * *Traced.* A matrix `[inputs, units]` as it comes back from NF4: the numbers of its units, one unit after the other, in blocks of `block` of which
 * each is divided by its largest magnitude, and brought to the nearest level. The last block may be shorter.
 */
export function normalRounded(of: tf.Tensor2D, block: number): tf.Tensor2D {
  const [inputs, units] = of.shape;
  const blocks = Math.ceil(of.size / block);
  const flat = tf.pad(tf.reshape(tf.transpose(of), [of.size]), [[0, blocks * block - of.size]]);
  const rows = tf.reshape(flat, [blocks, block]);
  const most = tf.maximum(tf.max(tf.abs(rows), 1, true), 1e-30);
  const middles = normalLevels.slice(1).map((level, i) => (level + normalLevels[i]!) / 2);
  const steps = normalLevels.slice(1).map((level, i) => level - normalLevels[i]!);
  const above = tf.cast(tf.greater(tf.expandDims(tf.div(rows, most), -1), tf.tensor1d(middles)), "float32");
  const levels = tf.sub(tf.sum(tf.mul(above, tf.tensor1d(steps)), -1), 1);
  const back = tf.slice(tf.reshape(tf.mul(levels, most), [blocks * block]), [0], [of.size]);
  return tf.transpose(tf.reshape(back, [units, inputs])) as tf.Tensor2D;
}

/** A normalisation with running statistics written into the kernel before it. */
import { tf } from "../../engine/index.ts";

/** A kernel with its units on the last axis, and what is added to them. */
export interface Affine {
  readonly kernel: tf.Tensor;
  readonly bias: tf.Tensor;
}

/** A kernel and a bias that give what the kernel, its bias and batch normalisation after them give in evaluation mode. */
export function folded(
  { kernel, bias }: { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor | undefined },
  norm: { readonly scale: tf.Tensor; readonly shift: tf.Tensor; readonly epsilon: number },
  { mean, variance }: { readonly mean: tf.Tensor; readonly variance: tf.Tensor },
): Affine {
  const by = tf.mul(norm.scale, tf.rsqrt(tf.add(variance, norm.epsilon)));
  const centre = bias === undefined ? tf.neg(mean) : tf.sub(bias, mean);
  return { kernel: tf.mul(kernel, by), bias: tf.add(norm.shift, tf.mul(centre, by)) };
}

/** The windows of images that a convolution multiplies by its kernel. */
import { nn, tf } from "../../engine/index.ts";

/**
 * `[n, height, width, channels] → [n · height′ · width′, window · window · channels]`: each row a window, in the order of a kernel's numbers,
 * so that the convolution is the product of these rows and the kernel as a matrix.
 */
export function windows(x: tf.Tensor, window: number, how: Omit<nn.Convolving, "depthwise">): tf.Tensor2D {
  const size = window * window * x.shape[3]!;
  const each = tf.reshape(tf.eye(size), [window, window, x.shape[3]!, size]);
  return tf.reshape(nn.convolve(x, each, how), [-1, size]) as tf.Tensor2D;
}

/** Numbers whose gradient is another than their own. */
import { tf } from "../../engine/index.ts";

/** The same numbers, through which no gradient flows. */
export function still<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((given) => ({
    value: tf.clone(given as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }))(x) as T;
}

/** The same numbers, whose gradient is multiplied by a factor of theirs, which counts as a constant. */
export function scaledGradient<T extends tf.Tensor>(x: T, factor: (x: T) => tf.Tensor): T {
  return tf.customGrad((given) => ({
    value: tf.clone(given as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, factor(given as T)),
  }))(x) as T;
}

/** `value` of some numbers, whose gradient goes to these as it is (Bengio et al. 2013). */
export function straightThrough(through: tf.Tensor, value: (of: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.customGrad((x) => ({ value: value(x as tf.Tensor), gradFunc: (dy: tf.Tensor) => dy }))(through);
}

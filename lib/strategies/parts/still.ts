/** Numbers that are used but not learnt from. */
import { tf } from "../../engine/index.ts";

/** The same numbers, through which no gradient flows. */
export function still<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((given) => ({
    value: tf.clone(given as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }))(x) as T;
}

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

/** `[n, k]`: the columns of the `k` largest numbers of each row, as whole numbers; no gradient flows through them. */
export function largest(x: tf.Tensor2D, k: number): tf.Tensor2D {
  const columns = tf.customGrad((given) => ({
    value: tf.cast(tf.topk(given as tf.Tensor, k).indices, "float32"),
    gradFunc: () => tf.zeros(x.shape),
  }))(x);
  return tf.cast(columns, "int32") as tf.Tensor2D;
}

/** Rows of a table at places, which count as constants: the gradient of a row is the sum over the places that it is at. */
export function rowsAt(x: tf.Tensor2D, at: tf.Tensor1D): tf.Tensor2D {
  return tf.customGrad((given, save) => {
    (save as tf.GradSaveFunc)([at]);
    return {
      value: tf.gather(given as tf.Tensor2D, at),
      gradFunc: ((dy: tf.Tensor, [at]: tf.Tensor[]) =>
        tf.unsortedSegmentSum(dy, at as tf.Tensor1D, x.shape[0])) as never,
    };
  })(x) as tf.Tensor2D;
}

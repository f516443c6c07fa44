/** Examples that are turned: other pictures of the same thing, whose turn can be foretold. */
import { tf } from "../../engine/index.ts";

/** How many turns of an example there are: four quarter turns of a square image; else as it is and from its end to its beginning. */
export function turnsOf(shape: readonly number[]): 2 | 4 {
  return shape.length === 3 && shape[0] === shape[1] ? 4 : 2;
}

/** *Traced.* Rows `[n, …shape]` turned `turn` times: images by quarter turns to the left, or halves where they are not square; others by the order of their numbers. */
export function turned(x: tf.Tensor, turn: number): tf.Tensor {
  const shape = x.shape.slice(1);
  const turns = turnsOf(shape);
  const at = turn % turns;
  if (at === 0) return x;
  const axes = shape.length === 3 ? [1, 2] : [1];
  if (turns === 2 || at === 2) return tf.reverse(x, axes);
  const flat = tf.transpose(x, [0, 2, 1, 3]);
  return tf.reverse(flat, [at === 1 ? 1 : 2]);
}

/** *Traced.* Each row turned as many times as its own number says. */
export function turnedEach(x: tf.Tensor, turns: tf.Tensor): tf.Tensor {
  const ways = turnsOf(x.shape.slice(1));
  const own = tf.reshape(tf.cast(turns, "float32"), [-1, ...x.shape.slice(1).map(() => 1)]);
  return tf.addN(
    Array.from({ length: ways }, (_, way) => tf.mul(turned(x, way), tf.cast(tf.equal(own, way), "float32"))),
  );
}

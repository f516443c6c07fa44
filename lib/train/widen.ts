/** Optimizer state for a head that has grown: what belongs to old weights stays, new weights begin anew. */
import { leaves, scoped, type Tree, tf, unflatten } from "../engine/index.ts";
import type { Weights } from "../models/network.ts";
import type { Optimizer } from "../optim/optimizer.ts";

/**
 * The state of an optimizer for wider weights: every tensor keeps its numbers in its old corner. A tensor whose shape did not change
 * (a step count, the slot of another layer) is kept as it is.
 */
export function widenedState(optimizer: Optimizer, state: Tree, weights: Weights): Tree {
  return scoped(() => {
    const fresh = optimizer.init(weights as unknown as Tree);
    const flat = leaves(state);
    const next = leaves(fresh).map((like, i) => {
      const had = flat[i]!;
      if (String(had.shape) === String(like.shape)) return had.clone();
      const pads = had.shape.map((size, axis) => [0, like.shape[axis]! - size] as [number, number]);
      const inside = tf.pad(tf.onesLike(had), pads);
      return tf.add(tf.pad(had, pads), tf.mul(like, tf.sub(1, inside)));
    });
    return unflatten<unknown, tf.Tensor>(fresh, next) as Tree;
  });
}

/** Quadratic penalties: pulling weights back to where they were, each as hard as it matters. */
import { mapTensors, scoped, sumTree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";

/** Where weights are pulled to, and how hard. A type, not an interface, so that it is a tree of tensors. */
export type Anchor = { readonly importance: Weights; readonly center: Weights };

/** `½ · strength · Σ importance · (weights − center)²` over all weights. */
export function pull({ importance, center }: Anchor, weights: Weights, strength: number): tf.Scalar {
  const sum = sumTree(
    (w, f, c) => tf.sum(tf.mul(f!, tf.square(tf.sub(w, c!)))) as tf.Scalar,
    weights,
    importance,
    center,
  );
  return tf.mul(sum, strength / 2) as tf.Scalar;
}

/**
 * One anchor that pulls as two do: `F₁(w−c₁)² + F₂(w−c₂)² = (F₁+F₂)(w−c)² + constant`, with `c` the mean of `c₁` and `c₂` weighted by
 * `F₁` and `F₂`. Exact, so a penalty per past task costs no more than one. Where nothing matters the newer center stands.
 */
export function merged(older: Anchor, newer: Anchor): Anchor {
  return scoped(() => {
    const importance = mapTensors((a, b) => tf.add(a, b!), older.importance, newer.importance);
    const center = mapTensors(
      (c1, f1, c2, f2) => {
        const sum = tf.add(f1!, f2!);
        const mean = tf.div(tf.add(tf.mul(f1!, c1), tf.mul(f2!, c2!)), tf.maximum(sum, 1e-38));
        return tf.where(tf.greater(sum, 0), mean, c2!);
      },
      older.center,
      older.importance,
      newer.center,
      newer.importance,
    );
    return { importance, center };
  });
}

/** The same anchor for a network whose head has grown: new weights are pulled nowhere. */
export function widened(anchor: Anchor, weights: Weights): Anchor {
  const pad = (tensor: tf.Tensor, like: tf.Tensor): tf.Tensor =>
    String(tensor.shape) === String(like.shape)
      ? tensor.clone()
      : tf.pad(
          tensor,
          tensor.shape.map((size, axis) => [0, like.shape[axis]! - size] as [number, number]),
        );
  return scoped(() => ({
    importance: mapTensors((t, w) => pad(t, w!), anchor.importance, weights),
    center: mapTensors((t, w) => pad(t, w!), anchor.center, weights),
  }));
}

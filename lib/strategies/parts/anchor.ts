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
        const mean = tf.div(tf.add(tf.mul(f1!, c1), tf.mul(f2!, c2!)), tf.maximum(sum, 1e-30));
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

/** A tree for a network whose head has grown: zeros for the new weights. The tensors are new. */
export function widenedLike(tree: Weights, weights: Weights): Weights {
  return scoped(() =>
    mapTensors(
      (tensor, like) =>
        String(tensor.shape) === String(like!.shape)
          ? tensor.clone()
          : tf.pad(
              tensor,
              tensor.shape.map((size, axis) => [0, like!.shape[axis]! - size] as [number, number]),
            ),
      tree,
      weights,
    ),
  );
}

/** A copy of older weights for a network whose head has grown: its new columns are as they are now. The tensors are new. */
export function grownLike(older: Weights, weights: Weights): Weights {
  return scoped(() => {
    const before = widenedLike(
      mapTensors((t) => tf.onesLike(t), older),
      weights,
    );
    return mapTensors(
      (old, had, now) => tf.add(old, tf.mul(tf.sub(1, had!), now!)),
      widenedLike(older, weights),
      before,
      weights,
    );
  });
}

/** A tree of zeros in the shape of the weights. */
export function zerosFor(weights: Weights): Weights {
  return mapTensors((w) => tf.zerosLike(w), weights);
}

/** Weights that a task scales within the subspaces of others, as much as it is trained to. */
import { tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type LayerPath, withLayers } from "./layers.ts";

/** For each layer and each subspace, by name, a square matrix, or the orthonormal directions `[d + 1, k]` that it is over. */
export type InSubspaces = { readonly [path: LayerPath]: { readonly [subspace: string]: tf.Tensor } };

/** *Traced.* The weights in which each layer W, kernel over bias, is `W + Σ B (Q − I) Bᵀ W` for its matrices Q over directions B. */
export function scaledWithin(weights: Weights, scales: InSubspaces, directions: InSubspaces): Weights {
  return withLayers(weights, Object.keys(scales), (layer, path) => {
    const added = Object.entries(scales[path]!).map(([subspace, scale]) => {
      const basis = directions[path]![subspace] as tf.Tensor2D;
      const apart = tf.sub(scale, tf.eye(scale.shape[0]!)) as tf.Tensor2D;
      return tf.matMul(basis, tf.matMul(apart, tf.matMul(basis, layer, true, false)));
    });
    return tf.addN([layer, ...added]);
  });
}

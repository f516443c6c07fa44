/** Results that no scope disposes. */
import * as tf from "@tensorflow/tfjs-core";
import { disposeTree, leaves, mapTree, type Tree } from "../tree.ts";

/** Runs `fn` in a scope and gives back its tensors as new ones that belong to the caller's scope. */
export function detached<R>(fn: () => R): R {
  const out = tf.tidy((): tf.TensorContainer => {
    const result = fn();
    return mapTree(
      (leaf: unknown) => (leaf instanceof tf.Tensor ? tf.keep(leaf.clone()) : leaf),
      result,
    ) as tf.TensorContainer;
  }) as R;
  for (const leaf of leaves<unknown>(out as Tree<unknown>)) {
    if (!(leaf instanceof tf.Tensor)) continue;
    leaf.kept = false;
    (tf.engine() as unknown as { track(tensor: tf.Tensor): void }).track(leaf);
  }
  return out;
}

/** Stacks trees of one shape leaf by leaf, and frees them. */
export function stacked<Y>(ys: readonly Y[]): Y {
  const out = detached(
    () => mapTree((...parts: tf.Tensor[]) => tf.stack(parts), ...(ys as unknown as [Y, ...Y[]])) as Y,
  );
  for (const y of ys) disposeTree(y);
  return out;
}

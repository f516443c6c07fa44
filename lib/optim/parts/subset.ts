/** Some of the parameters of a tree, by their paths. */
import { paths, type Tree, type tf, unflatten } from "../../engine/index.ts";
import type { Seen } from "../optimizer.ts";

/** Tensors by their paths; itself a tree, with the same paths. */
export type Flat = { readonly [path: string]: tf.Tensor };

/** The tensors of a tree whose paths are to be kept. */
export function subset(tree: Tree, keep: (path: string) => boolean): Flat {
  return Object.fromEntries(paths(tree).filter(([path]) => keep(path)));
}

/** A tree with other tensors at some paths, and elsewhere what `other` makes of the one there. */
export function withSubset(tree: Tree, flat: Flat, other: (leaf: tf.Tensor, path: string) => tf.Tensor): Tree {
  const next = paths(tree).map(([path, leaf]) => flat[path] ?? other(leaf, path));
  return unflatten<unknown, tf.Tensor>(tree, next) as Tree;
}

/** What a step shows, for an optimizer of some of the parameters: what is asked for at others is asked for in their tree. */
export function seenOf(seen: Seen | undefined, params: Tree, keep: (path: string) => boolean): Seen | undefined {
  if (seen === undefined) return undefined;
  const whole = (some: Tree): Tree =>
    withSubset(
      params,
      subset(some, () => true),
      (leaf) => leaf,
    );
  return {
    ...seen,
    gradient: (some) => subset(seen.gradient(whole(some)), keep),
    loss: (some) => seen.loss(whole(some)),
    drawn(some) {
      const { gradient, labels } = seen.drawn(whole(some));
      return { gradient: subset(gradient, keep), labels };
    },
  };
}

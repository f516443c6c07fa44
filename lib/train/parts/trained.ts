/** The part of the weights that is trained: only it has gradients and optimizer state, and all else stays bit for bit. */
import {
  disposeTree,
  leaves,
  paths,
  type Tree,
  tf,
  unflatten,
  type ValueAndGrad,
  valueAndGrad,
} from "../../engine/index.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Optimizer } from "../../optim/optimizer.ts";

type Frozen = Network["frozen"];

/** Tensors by their paths in the weights. */
type Flat = { readonly [path: string]: tf.Tensor };

/** The trained tensors of a tree like the weights', by path. */
function trainedOf(tree: Weights, frozen: NonNullable<Frozen>): Flat {
  return Object.fromEntries(paths(tree as Tree).filter(([path]) => !frozen(path)));
}

/** A tree like the weights' with other tensors where it is trained, and elsewhere what `still` makes of the one there. */
function whole(tree: Weights, trained: Flat, still: (leaf: tf.Tensor) => tf.Tensor): Weights {
  return unflatten(
    tree,
    paths(tree as Tree).map(([path, leaf]) => trained[path] ?? still(leaf)),
  ) as Weights;
}

/** `valueAndGrad` for the trained part of the weights; the gradients of the others are zeros that nothing computes. */
export function trainedGrad<A extends Tree | undefined = undefined>(
  fn: (weights: Weights) => tf.Scalar | tf.Tensor | readonly [tf.Scalar | tf.Tensor, A],
  weights: Weights,
  frozen: Frozen,
): ValueAndGrad<Weights, A> {
  if (frozen === null) return valueAndGrad(fn, weights);
  const { value, aux, grads } = valueAndGrad(
    (trained: Flat) => fn(whole(weights, trained, (leaf) => leaf)),
    trainedOf(weights, frozen),
  );
  return { value, aux, grads: whole(weights, grads, (leaf) => tf.zerosLike(leaf)) };
}

/** An optimizer of the weights that knows of the trained part alone. */
export function ofTrained(optimizer: Optimizer, frozen: Frozen): Optimizer {
  if (frozen === null) return optimizer;
  const part = (tree: Tree): Flat => trainedOf(tree as Weights, frozen);
  return {
    ...optimizer,
    init(params) {
      const trained = part(params);
      if (Object.keys(trained).length > 0) return optimizer.init(trained);
      throw new RangeError(
        "freeze: at least one parameter that is trained is required, got none; leave the head to train",
      );
    },
    update(grads, state, params, rate) {
      const [updates, next] = optimizer.update(part(grads), state, part(params), rate);
      return [whole(params as Weights, updates as Flat, (leaf) => tf.zerosLike(leaf)) as Tree, next];
    },
  };
}

/** Weights with the frozen tensors of others in their place; *traced*. */
export function still(weights: Weights, before: Weights, frozen: Frozen): Weights {
  if (frozen === null || weights === before) return weights;
  const old = new Map(paths(before as Tree));
  const next = paths(weights as Tree).map(([path, leaf]) => (frozen(path) ? (old.get(path) ?? leaf) : leaf));
  return unflatten(weights, next) as Weights;
}

/** Weights that a hook gave on the host, with the frozen tensors as they were; what takes no place is freed. */
export function keptStill(given: Weights | undefined, before: Weights, frozen: Frozen): Weights | undefined {
  if (given === undefined || frozen === null || given === before) return given;
  const kept = still(given, before, frozen);
  const held = new Set([...leaves(kept as Tree), ...leaves(before as Tree)]);
  disposeTree(leaves(given as Tree).filter((leaf) => !held.has(leaf)));
  return kept;
}

/** What of a model some experiences have of their own, while they share the rest: adapters, or whatever else a filter selects. */
import { mapTensors, paths, type Tree, type tf, unflatten } from "../../engine/index.ts";
import { type Filter, selects } from "../../models/filter.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Flat } from "../../optim/parts/subset.ts";

/** The trained tensors of the model that `of` selects; with null those that adapters bring, and where there are none all. */
export function partsOf(network: Network, { model }: Weights, of: Filter | null): Flat {
  const ofAdapters: Filter = { kind: ["adapter", "prompt", "gate"] };
  const { frozen, kindOf } = network;
  const trained = paths(model as Tree).filter(([path]) => frozen?.(`model/${path}`) !== true);
  const chosen = (by: Filter) =>
    trained.filter(([path, { shape }]) => selects(by, { path, kind: kindOf(`model/${path}`), shape }));
  const found = chosen(of ?? ofAdapters);
  return Object.fromEntries(found.length === 0 && of === null ? trained : found);
}

/** Weights with other tensors at some paths of the model. */
export function withParts(weights: Weights, flat: Flat): Weights {
  const next = paths(weights.model as Tree).map(([path, leaf]) => flat[path] ?? leaf);
  return { ...weights, model: unflatten<unknown, tf.Tensor>(weights.model as Tree, next) as Weights["model"] };
}

/** Tensors of their own with the same numbers. */
export function copied(flat: Flat): Flat {
  return mapTensors((t: tf.Tensor) => t.clone(), flat);
}

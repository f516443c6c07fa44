/** Weights of which some stay as they were. */
import { paths, type Tree, unflatten } from "../../engine/index.ts";
import type { Network, Weights } from "../network.ts";

/** Weights with the frozen tensors of others in their place; *traced* too. Those that had their place are the caller's to free. */
export function heldStill(weights: Weights, before: Weights, frozen: Network["frozen"]): Weights {
  if (frozen === null || weights === before) return weights;
  const old = new Map(paths(before as Tree));
  const next = paths(weights as Tree).map(([path, leaf]) => (frozen(path) ? (old.get(path) ?? leaf) : leaf));
  return unflatten(weights, next) as Weights;
}

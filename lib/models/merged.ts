/** Networks without their adapters. */
import { cloneTree, disposeTree, scoped, type Tree } from "../engine/index.ts";
import type { Model } from "./model.ts";
import { type TrainedNetwork, trained } from "./trained.ts";
import { makeModel } from "./verbs.ts";

/**
 * The same network with its adapters merged into its weights: a plain model that gives the same to rounding, at no cost of theirs. The network
 * stays as it is.
 *
 * @throws TypeError where an adapter cannot be merged, or there is none.
 *
 * @example
 * ```ts
 * import { lora, merged, mlp, network, random, tf, trained } from "thalweg";
 * const model = mlp({ hidden: [4] }).adapt(lora({ rank: 1 }));
 * const big = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * const plain = merged(big);
 * [big.parameters, plain.parameters]; // [33, 26]
 * ```
 */
export function merged(network: TrainedNetwork): TrainedNetwork {
  const { model, weights } = network;
  if (model.unadapted === undefined)
    throw new TypeError(
      `merged: a network with adapters is required, got ${model.spec.name} without; it is plain already`,
    );
  let plain: Model | undefined;
  const params = scoped(() => {
    const found = model.unadapted!(weights.model);
    plain = makeModel(found.model);
    return cloneTree(found.params as Tree);
  }) as typeof weights.model;
  const made = trained({ ...network.parts, model: plain!, weights: { ...weights, model: params } });
  disposeTree(params as Tree);
  return made;
}

/** Features of several trained networks, one beside the other. */
import { from } from "./from.ts";
import type { Model } from "./model.ts";
import { net } from "./net.ts";
import type { TrainedNetwork } from "./trained.ts";

/**
 * A model whose features are those of several trained networks, one beside the other: what runs from different seeds know together is more than one of
 * them does, also where one as large as all was trained at once.
 *
 * It begins with their weights, and trains all of them unless it is frozen: `concatenated(networks).freeze("**")` leaves the head, a linear probe. To learn
 * them in one network of the usual size, give `distilFeatures` a network that was trained with it.
 *
 * Implements: P287 Rich features by concatenation
 * Zhang and Bottou 2023, "Learning useful representations for shifting tasks and distributions", arXiv:2212.07346, section 4 (CAT).
 * Differs from the paper: none known.
 *
 * @throws RangeError for no network.
 *
 * @example
 * ```ts
 * import { concatenated, mlp, network, random, trained } from "thalweg";
 * const made = [1, 2, 3].map((seed) =>
 *   trained({ model: mlp({ hidden: [8] }), input: [4], weights: network(mlp({ hidden: [8] }), [4]).init(random(seed), 2) }),
 * );
 * concatenated(made).features([4]); // [24]
 * ```
 */
export function concatenated(networks: readonly TrainedNetwork[]): Model {
  if (networks.length === 0) throw new RangeError("concatenated: at least one network is required, got none");
  return net().branch(networks.map((each) => from(each))) as unknown as Model;
}

/** Beginning anew. */
import type { Weights } from "../../models/network.ts";
import type { Context } from "../strategy.ts";

/** What a hook returns to have the network and the optimizer begin anew; every experience draws other weights. */
export function fresh({ network, rng, columns, experience, weights }: Context): { weights: Weights; restart: true } {
  const drawn = network.init(rng.at("fresh", experience), columns);
  return { weights: weights.added === undefined ? drawn : { ...drawn, added: weights.added }, restart: true };
}

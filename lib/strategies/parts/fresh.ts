/** Beginning anew. */
import { type Rng, scoped } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { heldStill } from "../../models/parts/held-still.ts";
import type { Context } from "../strategy.ts";

/** The weights of a network that begins anew, drawn by `rng`: what is frozen, and what strategies have added, is as it was. */
export function drawnAnew({ network, columns, weights }: Context, rng: Rng): Weights {
  const { added } = weights;
  return scoped(() => heldStill({ ...network.init(rng, columns), ...(added && { added }) }, weights, network.frozen));
}

/** What a hook returns to have the network and the optimizer begin anew; every experience draws other weights. */
export function fresh(context: Context): { weights: Weights; restart: true } {
  return { weights: drawnAnew(context, context.rng.at("fresh", context.experience)), restart: true };
}

import { needWhole } from "../data/options.ts";
import type { Params } from "../models/model.ts";
import { blocksIn, networkOf, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/**
 * The network that ends after a block of a transformer: what comes behind the blocks, and the head that `selfDistil` has trained there, or the network's own.
 *
 * @throws RangeError for a block that there is not.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 3, heads: 2 });
 * const three = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const { report } = expand.exit(three, 0);
 * report.flops[1] < report.flops[0] / 2; // true
 * ```
 */
export function exit(network: TrainedNetwork, block: number): Expanded {
  needWhole("expand.exit", "a block", block, 0);
  return tidied(() => {
    const pieces = piecesOf("expand.exit", network);
    const blocks = blocksIn("expand.exit", pieces);
    if (block >= blocks.length)
      throw new RangeError(`expand.exit: blocks from 0 to ${blocks.length - 1} are required, got ${block}`);
    const { added = {}, ...weights } = network.weights;
    const { selfDistil: heads = {}, ...rest } = added as { readonly [strategy: string]: Params };
    const own = heads[block] as Params | undefined;
    const bare = Object.keys(rest).length === 0 ? weights : { ...weights, added: rest };
    const kept = pieces.filter((_, i) => i <= blocks[block]! || i > blocks.at(-1)!);
    const made = networkOf({ ...network, weights: bare }, kept, own ?? weights.head);
    return expanded("exit", { block }, network, made);
  });
}

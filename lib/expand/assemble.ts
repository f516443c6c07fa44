import { blocksIn, networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** A module that was trained in its slot: the network it was trained in, and what `incubate` said of it. */
export interface TrainedModule {
  readonly network: TrainedNetwork;
  readonly slot: number;
  readonly module: readonly string[];
}

/**
 * One network of modules that were trained apart, each in its slot of the meta network; slots without one keep the meta network's block.
 *
 * What is before and behind the blocks, and the head, are the meta network's. A little tuning of the whole follows: Ni et al. 2022, arXiv:2212.04129, section 3.3;
 * `incubate` says how modules are made.
 *
 * @throws RangeError for two modules of one slot, or a network that does not have its module where it is said to be.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const meta = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const modules = [0, 1].map((slot) => expand.incubate(meta, { slot, depth: 2 }));
 * expand.assemble(meta, modules).network.model.stack?.filter(({ name }) => name === "transformer").length; // 4
 * ```
 */
export function assemble(meta: TrainedNetwork, modules: readonly TrainedModule[]): Expanded {
  return tidied(() => {
    const pieces = piecesOf("expand.assemble", meta);
    const blocks = blocksIn("expand.assemble", pieces);
    const bySlot = new Map<number, readonly Piece[]>();
    for (const { network, slot, module } of modules) {
      if (bySlot.has(slot) || blocks[slot] === undefined)
        throw new RangeError(
          `expand.assemble: at most one module for each slot from 0 to ${blocks.length - 1} is required, got another for ${slot}`,
        );
      const own = piecesOf("expand.assemble", network);
      bySlot.set(
        slot,
        module.map((name) => {
          const piece = own[Number.parseInt(name, 10) - 1];
          if (piece?.layer.name === "transformer") return piece;
          throw new RangeError(
            `expand.assemble: a network with its module at ${module.join(", ")} is required, got ${piece?.layer.name ?? "no layer"} there`,
          );
        }),
      );
    }
    const all = pieces.flatMap((piece, i) => bySlot.get(blocks.indexOf(i)) ?? [piece]);
    return expanded("assemble", { slots: [...bySlot.keys()] }, meta, networkOf(meta, all));
  });
}

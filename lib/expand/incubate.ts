import { needWhole } from "../data/options.ts";
import { random } from "../engine/index.ts";
import { blocksIn, networkOf, type Piece, piecesOf, sizesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** What `incubate` puts where. */
export interface IncubateOptions {
  /** The block of the meta network that makes room, by its number. */
  readonly slot: number;
  /** New blocks, as many: they are drawn. */
  readonly depth?: number;
  /** Or blocks of another network of the same width, from and to, not included. */
  readonly of?: { readonly network: TrainedNetwork; readonly from: number; readonly to: number };
  /** Draws new blocks; default 0. */
  readonly seed?: number;
}

/** A module among blocks of a meta network. */
export interface Incubated extends Expanded {
  readonly slot: number;
  /** Where the module's blocks lie, for `trainOnly`. */
  readonly module: readonly string[];
}

/**
 * Puts a module, some blocks of a transformer, in the place of one block of a shallow meta network, so that it can be trained by itself: the rest of the meta network stands for
 * what the other modules will be.
 *
 * `from(network, { head: "keep" }).trainOnly(module).freeze("head")` trains the module alone, each one apart from all others; `assemble` makes one network of them. With `of` the
 * blocks of a trained network stand in the slot, as a teacher of the module that is to stand there: `distil({ teacher })`.
 *
 * Implements: P298 Deep Model Assembling
 * Ni et al. 2022, "Deep model assembling" (deep incubation), arXiv:2212.04129, section 3.
 *
 * Implements: P398 m2mKD
 * Lo et al. 2024, "m2mKD: module-to-module knowledge distillation for modular transformers", arXiv:2402.16918, section 3: modules of a teacher in the same meta network.
 * Differs from the papers: modules are blocks of a plain transformer of the meta network's width, of which there is no mixture of experts made; a meta network has one
 * block for each module.
 *
 * @throws RangeError for a slot that there is not, or blocks of another width; TypeError where not one of `depth` and `of` is given.
 *
 * @example
 * ```ts
 * import { expand, from, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const meta = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const { network: alone, module } = expand.incubate(meta, { slot: 1, depth: 2 });
 * module; // ["6-transformer", "7-transformer"]
 * from(alone, { head: "keep" }).trainOnly([...module]);
 * ```
 */
export function incubate(meta: TrainedNetwork, { slot, depth, of, seed = 0 }: IncubateOptions): Incubated {
  needWhole("expand.incubate", "slot", slot, 0);
  if ((depth === undefined) === (of === undefined))
    throw new TypeError(
      "expand.incubate: new blocks or those of another network are required, got both or neither: { depth } or { of }",
    );
  return tidied(() => {
    const pieces = piecesOf("expand.incubate", meta);
    const at = blocksIn("expand.incubate", pieces)[slot];
    if (at === undefined)
      throw new RangeError(`expand.incubate: the number of a block is required as slot, got ${slot}`);
    const room = pieces[at]!;
    const { width } = sizesOf(room);
    const own = of === undefined ? drawn(room, width, depth!, seed) : taken(of, width);
    const made = networkOf(meta, [...pieces.slice(0, at), ...own, ...pieces.slice(at + 1)]);
    const told = { slot, ...(depth !== undefined && { depth }), ...(of && { from: of.from, to: of.to }), seed };
    return {
      ...expanded("incubate", told, meta, made),
      slot,
      module: own.map((_, i) => `${at + i + 1}-transformer`),
    };
  });
}

function drawn(like: Piece, width: number, depth: number, seed: number): Piece[] {
  needWhole("expand.incubate", "depth", depth);
  const rng = random(seed).at("incubate");
  return Array.from({ length: depth }, (_, i) => ({ ...like, params: like.layer.init!(rng.at(i), [1, width]) }));
}

function taken({ network, from, to }: NonNullable<IncubateOptions["of"]>, width: number): Piece[] {
  const pieces = piecesOf("expand.incubate", network);
  const blocks = blocksIn("expand.incubate", pieces).map((at) => pieces[at]!);
  const own = blocks.slice(from, to);
  if (from < 0 || to > blocks.length || own.length === 0 || sizesOf(own[0]!).width !== width)
    throw new RangeError(
      `expand.incubate: some of ${blocks.length} blocks of width ${width} are required, got ${from} to ${to} of width ${sizesOf(blocks[0]!).width}`,
    );
  return own;
}

import type { Json } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import { branch } from "../models/layers/graph/branch.ts";
import { layerScale } from "../models/layers/norm/layer-scale.ts";
import type { Params } from "../models/model.ts";
import { inRow } from "../models/parts/named.ts";
import { blocksIn, networkOf, type Piece, piecesOf, sizesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** The numbers of blocks, from 0; a list of them stands for blocks that run side by side. */
export type BlockOrder = readonly (number | readonly number[])[];

/**
 * The blocks of a trained transformer in another order, some left out, repeated, or side by side: a way to ask what they do.
 *
 * Of six blocks `[0, 1, 4, 5]` skips two, `[0, 2, 2, 2, 2, 5]` repeats one, `[0, 4, 3, 2, 1, 5]` turns the middle round, and
 * `[0, [1, 2, 3, 4], 5]` gives the same input to four of them and goes on with the mean of what they give; named twice, `[0, [1, 2], [1, 2], 5]`,
 * they loop. Nothing is trained; weights that are named twice are copied. `[0, 1]` alone is the network that ends after the second block.
 *
 * Implements: P160 Transformer Layers as Painters
 * Sun et al. 2024, "Transformer layers as painters", arXiv:2407.09298, section 3: skip, middle repeat, reverse, random order, parallel, looped parallel.
 *
 * @throws RangeError for a block that there is not; TypeError for a network without blocks of attention.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 4, heads: 2 });
 * const four = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const { report } = expand.reorder(four, [0, [1, 2], 3]);
 * report.parameters[1] - report.parameters[0]; // 8
 * ```
 */
export function reorder(network: TrainedNetwork, order: BlockOrder): Expanded {
  return tidied(() => {
    const pieces = piecesOf("expand.reorder", network);
    const blocks = blocksIn("expand.reorder", pieces);
    const named = (block: number): Piece => {
      const at = blocks[block];
      if (at === undefined)
        throw new RangeError(`expand.reorder: blocks from 0 to ${blocks.length - 1} are required, got ${block}`);
      return pieces[at]!;
    };
    const run = order.flatMap((each) => (typeof each === "number" ? [named(each)] : besides(each.map(named))));
    const [first, last] = [blocks[0]!, blocks.at(-1)!];
    const made = networkOf(network, [...pieces.slice(0, first), ...run, ...pieces.slice(last + 1)]);
    return expanded("reorder", { order } as unknown as Json, network, made);
  });
}

/** Blocks that get the same, and the mean of what they give. */
function besides(blocks: readonly Piece[]): readonly Piece[] {
  if (blocks.length < 2) return blocks;
  const { width } = sizesOf(blocks[0]!);
  const params: Params = Object.fromEntries(
    blocks.map((block, i) => [`${i + 1}-way`, { [`1-${block.layer.name}`]: block.params }]),
  );
  return [
    {
      layer: branch(
        blocks.map(({ layer }) => inRow([layer])),
        { join: "add" },
      ),
      params,
      statistics: {},
    },
    { layer: layerScale(1 / blocks.length), params: { scale: tf.fill([width], 1 / blocks.length) }, statistics: {} },
  ];
}

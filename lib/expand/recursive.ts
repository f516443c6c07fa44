import type { Json } from "../data/dataset.ts";
import { needOneOf, needWhole } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import { singular } from "../engine/linear-algebra.ts";
import { recursive as recursiveLayer } from "../models/layers/attention/recursive.ts";
import type { TransformerOptions } from "../models/layers/attention/transformer.ts";
import type { Params } from "../models/model.ts";
import { blocksIn, networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** How `recursive` shares. */
export interface RecursiveSharing {
  /** How many blocks there are to be; they are gone through as often as makes the depth that was. */
  readonly blocks: number;
  /** The rank of what each round adds to each kernel; default 0: nothing. */
  readonly rank?: number;
  /**
   * What the shared blocks begin as: the mean of those that they stand for, the first ones of the network, or ones that are evenly far apart, the first and the last among
   * them. Default "average".
   */
  readonly begin?: "average" | "lower" | "stepwise";
}

/**
 * A transformer whose blocks are shared: a few, gone through several times, with what each round needs of its own at a low rank.
 *
 * Block b of round r stands for block `r · blocks + b` of the network. What a round adds is the best approximation of that rank to what the kernels of the two differ
 * by, so that with a full rank only biases and normalisations are shared. A little training follows.
 *
 * Bae et al. 2024, arXiv:2410.20672, section 3.2 (stepwise, average, lower) and equation 4 (singular vectors); the layer is `recursive`.
 *
 * @throws RangeError where the blocks do not divide the depth; TypeError where they are not alike.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 4, heads: 2 });
 * const four = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * expand.recursive(four, { blocks: 2 }).report.parameters; // [3715, 1971]
 * ```
 */
export function recursive(
  network: TrainedNetwork,
  { blocks, rank = 0, begin = "average" }: RecursiveSharing,
): Expanded {
  needWhole("expand.recursive", "blocks", blocks);
  needWhole("expand.recursive", "rank", rank, 0);
  needOneOf("expand.recursive", "begin", begin, ["average", "lower", "stepwise"]);
  return tidied(() => {
    const pieces = piecesOf("expand.recursive", network);
    const places = blocksIn("expand.recursive", pieces);
    const own = places.map((at) => pieces[at]!);
    const [depth, first] = [own.length, places[0]!];
    if (depth % blocks !== 0)
      throw new RangeError(`expand.recursive: blocks that divide the depth of ${depth} are required, got ${blocks}`);
    const told = (piece: Piece): string => JSON.stringify(piece.layer.options);
    if (own.some((piece) => told(piece) !== told(own[0]!)) || places.some((at, i) => at !== first + i))
      throw new TypeError("expand.recursive: blocks that are alike and follow one another are required, got others");
    const rounds = depth / blocks;
    const standing = (b: number): Piece[] => Array.from({ length: rounds }, (_, r) => own[r * blocks + b]!);
    const shared = Array.from({ length: blocks }, (_, b): Params => {
      if (begin === "average") return meanOf(standing(b).map(({ params }) => params));
      const at = begin === "lower" || blocks === 1 ? b : Math.round((b * (depth - 1)) / (blocks - 1));
      return own[at]!.params;
    });
    const params: Record<string, Params> = Object.fromEntries(shared.map((tree, b) => [`block${b + 1}`, tree]));
    if (rank > 0)
      for (let r = 0; r < rounds; r++)
        params[`round${r + 1}`] = Object.fromEntries(
          shared.map((tree, b) => [`block${b + 1}`, addedTo(tree, own[r * blocks + b]!.params, rank)]),
        );
    const { heads, ...options } = own[0]!.layer.options as unknown as { readonly heads: number } & TransformerOptions;
    const layer = recursiveLayer(rounds, blocks, heads, { ...options, rank });
    const made = networkOf(network, [
      ...pieces.slice(0, first),
      { layer, params, statistics: {} },
      ...pieces.slice(first + depth),
    ]);
    return expanded("recursive", { blocks, rank, begin } as Json, network, made);
  });
}

/** The mean of trees, tensor by tensor. */
function meanOf(trees: readonly Params[]): Params {
  const names = Object.keys(trees[0]!);
  return Object.fromEntries(
    names.map((name) => {
      const all = trees.map((tree) => tree[name]!);
      return [
        name,
        all[0] instanceof tf.Tensor ? tf.div(tf.addN(all as tf.Tensor[]), all.length) : meanOf(all as Params[]),
      ];
    }),
  );
}

/** What brings the kernels of a shared block nearest to those of another, at a rank: `down · up`. */
function addedTo(shared: Params, wanted: Params, rank: number): Params {
  const parts = Object.keys(shared).filter((part) => (shared[part] as Params).kernel !== undefined);
  return Object.fromEntries(
    parts.map((part) => {
      const [a, b] = [wanted, shared].map((tree) => (tree[part] as Params).kernel as tf.Tensor);
      const [inputs, units] = a!.shape as [number, number];
      const { values, left, right } = singular(tf.sub(a!, b!).dataSync(), inputs, units);
      const down = new Float32Array(inputs * rank);
      const up = new Float32Array(rank * units);
      for (let k = 0; k < Math.min(rank, values.length); k++) {
        left[k]!.forEach((x, i) => {
          down[i * rank + k] = x * values[k]!;
        });
        up.set(right[k]!, k * units);
      }
      return [part, { down: tf.tensor2d(down, [inputs, rank]), up: tf.tensor2d(up, [rank, units]) }];
    }),
  );
}

import type { Json } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import type { Params } from "../models/model.ts";
import { blocksIn, networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { type Change, mapped } from "./parts/multilevel.ts";

/** What `coalesce` and `decoalesce` change. */
export interface LevelOptions {
  /** Whether the width, the heads and the inner layers are halved; default true. */
  readonly width?: boolean;
  /** Whether the depth is halved; default true. */
  readonly depth?: boolean;
}

/**
 * Half a transformer: neighbouring blocks become their mean, and of its width, its heads and its inner layers the i-th and the (i + half)-th are
 * merged: columns of kernels become their mean, rows their sum.
 *
 * It is the way down of a V-cycle: a network is trained a little, made small by this, the small one is trained at a quarter of the cost or less, and
 * `decoalesce` brings what it has learnt back.
 *
 * Implements: P015 Multi-level training V-cycle
 * Zou et al. 2024, "A multi-level framework for accelerating training transformer models", arXiv:2404.07999, section 3.1, equations 1 to 6, with the
 * default matrices of the authors' program.
 *
 * @throws RangeError for an odd number of heads or blocks; TypeError for a network that is not like `vit` or `gpt`.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const large = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * expand.coalesce(large).report.parameters; // [1971, 359]
 * ```
 */
export function coalesce(network: TrainedNetwork, { width = true, depth = true }: LevelOptions = {}): Expanded {
  return tidied(() => {
    let pieces = piecesOf("expand.coalesce", network);
    let { head } = network.weights;
    if (width) ({ pieces, head } = mapped("expand.coalesce", network, pieces, halved));
    if (depth) {
      const blocks = blocksIn("expand.coalesce", pieces);
      if (blocks.length % 2 === 1)
        throw new RangeError(`expand.coalesce: an even number of blocks is required, got ${blocks.length}`);
      pieces = pieces.flatMap((piece, i): Piece[] => {
        const k = blocks.indexOf(i);
        if (k < 0) return [piece];
        return k % 2 === 1 ? [] : [{ ...piece, params: mean(piece.params, pieces[blocks[k + 1]!]!.params) }];
      });
    }
    return expanded("coalesce", { width, depth } as Json, network, networkOf(network, pieces, head));
  });
}

/** Pairs of the i-th and the (i + half)-th number along an axis, merged. */
const halved: Change = {
  factor: 0.5,
  columns: (tensor, axis) => tf.div(sums(tensor, axis), 2),
  rows: sums,
};

function sums(tensor: tf.Tensor, axis: number): tf.Tensor {
  const [a, b] = tf.split(tensor, 2, axis);
  return tf.add(a!, b!);
}

function mean(a: Params, b: Params): Params {
  return Object.fromEntries(
    Object.entries(a).map(([name, node]) => [
      name,
      node instanceof tf.Tensor
        ? tf.div(tf.add(node, b[name] as tf.Tensor), 2)
        : mean(node as Params, b[name] as Params),
    ]),
  );
}

import type { Json } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import type { TransformerOptions } from "../models/layers/attention/transformer.ts";
import { dense } from "../models/layers/basic/dense.ts";
import { gelu } from "../models/layers/basic/gelu.ts";
import { layerNorm } from "../models/layers/norm/layer-norm.ts";
import type { Params } from "../models/model.ts";
import { beside } from "../models/parts/named.ts";
import {
  blocksIn,
  epsilonOf,
  networkOf,
  type Piece,
  piecesOf,
  requirePlain,
  sizesOf,
  tidied,
} from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** What `fuse` can be told. */
export interface FuseOptions {
  /** Neighbouring blocks, by number from 0: their attention is left out, and their dense layers become one. */
  readonly blocks: readonly number[];
}

/**
 * Leaves out the attention of neighbouring blocks and runs their dense layers at once, as one that is as wide as all together.
 *
 * What was `x + F₁(x)`, then that plus `F₂` of it, becomes `x + F₁(x) + F₂(x)`: one step instead of as many as there are blocks, and exact for one
 * block. Scale and shift of each normalisation go into the kernel behind it, as they differ from block to block. Which blocks change little that
 * comes after them, and so can run together, `dependencies` tells.
 *
 * Implements: P064 FFN Fusion
 * Bercovich et al. 2025, "FFN fusion: rethinking sequential computation in large language models", arXiv:2503.18908, section 3, theorem 3.1.
 * Differs from the paper: layer normalisation and the Gaussian error linear unit in place of root mean squares and gated units; which attention to leave
 * out is said, where theirs is searched for.
 *
 * @throws RangeError for blocks that are not neighbours; TypeError where they normalise after, or not alike.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 4, heads: 2 });
 * const four = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * expand.fuse(four, { blocks: [1, 2] }).network.model.stack?.map(({ name }) => name).slice(4, 7); // ["transformer", "residual", "transformer"]
 * ```
 */
export function fuse(network: TrainedNetwork, { blocks }: FuseOptions): Expanded {
  return tidied(() => {
    const pieces = piecesOf("expand.fuse", network);
    const all = blocksIn("expand.fuse", pieces);
    const sorted = [...blocks].sort((a, b) => a - b);
    const places = sorted.map((block) => all[block] ?? -1);
    if (places.length === 0 || places.some((place, i) => place < 0 || (i > 0 && place !== places[i - 1]! + 1)))
      throw new RangeError(
        `expand.fuse: neighbours among the blocks from 0 to ${all.length - 1} are required, got [${blocks}]`,
      );
    const fused = fusedOf(places.map((place) => pieces[place]!));
    const made = networkOf(network, [...pieces.slice(0, places[0]), fused, ...pieces.slice(places.at(-1)! + 1)]);
    return expanded("fuse", { blocks: sorted } as Json, network, made);
  });
}

/** The dense layers of blocks as one. */
function fusedOf(blocks: readonly Piece[]): Piece {
  const optionsOf = ({ layer }: Piece): TransformerOptions => layer.options as TransformerOptions;
  const [first] = blocks as [Piece, ...Piece[]];
  requirePlain("expand.fuse", blocks);
  const form = optionsOf(first).gelu ?? "tanh";
  for (const block of blocks) {
    const { norm, gelu: own = "tanh" } = optionsOf(block);
    if (norm === "after" || own !== form || epsilonOf(block) !== epsilonOf(first))
      throw new TypeError(
        `expand.fuse: blocks that normalise before, with one form of gelu and one epsilon, are required, got ${JSON.stringify(block.layer.options)}`,
      );
  }
  const parts = blocks.map(({ params }) => {
    const [norm, up, down] = ["between", "up", "down"].map((part) => params[part] as Record<string, tf.Tensor>);
    const kernel = up!.kernel as tf.Tensor2D;
    return {
      kernel: tf.mul(tf.expandDims(norm!.scale!, 1), kernel),
      bias: tf.add(up!.bias!, tf.squeeze(tf.matMul(tf.expandDims(norm!.shift!, 0) as tf.Tensor2D, kernel), [0])),
      down: down!,
    };
  });
  const { width } = sizesOf(first);
  const inner = parts.reduce((sum, { bias }) => sum + bias.size, 0);
  const params: Params = {
    "1-layerNorm": { scale: tf.ones([width]), shift: tf.zeros([width]) },
    "2-dense": {
      kernel: tf.concat(
        parts.map(({ kernel }) => kernel),
        1,
      ),
      bias: tf.concat(
        parts.map(({ bias }) => bias),
        0,
      ),
    },
    "4-dense": {
      kernel: tf.concat(
        parts.map(({ down }) => down.kernel!),
        0,
      ),
      bias: tf.addN(parts.map(({ down }) => down.bias!)),
    },
  };
  const layers = [layerNorm({ epsilon: epsilonOf(first) }), dense(inner), gelu({ form }), dense(width)];
  return { layer: beside(layers), params, statistics: {} };
}

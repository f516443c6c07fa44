import type { Json } from "../data/dataset.ts";
import { needOneOf, needWhole } from "../data/options.ts";
import { mapTensors, tf } from "../engine/index.ts";
import type { Params } from "../models/model.ts";
import { blocksIn, networkOf, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** What `interpolate` can be told. */
export interface InterpolateOptions {
  /**
   * "interpolation": each block stands several times in a row, so that blocks stay where they were; "stacking": all of them, one after the other, again; "zeros": as interpolation, but what
   * the outputs of a block's copies give is 0, so that the network answers as before until they are trained.
   */
  readonly by?: "interpolation" | "stacking" | "zeros";
}

/**
 * A deeper transformer whose blocks are those of a shallow one, each as often as the depth asks for: block i of the deep one is block ⌊i · shallow / deep⌋.
 *
 * It is how a stage of progressive training hands over to the next one: blocks that learnt by `apollo` to stand for those beside them change little by it, while stacking brings
 * low blocks behind high ones. Gong et al. 2019, "Efficient training of BERT by progressively stacking", is the other way; Pan et al. 2024, arXiv:2401.09192,
 * section 3.3. With zeros it is the block expansion of Wu et al. 2024, "LLaMA Pro", arXiv:2401.02415, section 3.1.
 *
 * @throws RangeError for a depth below what is there; TypeError for a network without blocks of attention.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const two = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * expand.interpolate(two, 6).network.model.stack?.filter(({ name }) => name === "transformer").length; // 6
 * ```
 */
export function interpolate(
  network: TrainedNetwork,
  depth: number,
  { by = "interpolation" }: InterpolateOptions = {},
): Expanded {
  needWhole("expand.interpolate", "depth", depth);
  needOneOf("expand.interpolate", "by", by, ["interpolation", "stacking", "zeros"]);
  return tidied(() => {
    const pieces = piecesOf("expand.interpolate", network);
    const blocks = blocksIn("expand.interpolate", pieces);
    const had = blocks.length;
    if (depth < had) throw new RangeError(`expand.interpolate: a depth of at least ${had} is required, got ${depth}`);
    const run = Array.from({ length: depth }, (_, i) => {
      const from = by === "stacking" ? i % had : Math.floor((i * had) / depth);
      const piece = pieces[blocks[from]!]!;
      const first = i === 0 || Math.floor(((i - 1) * had) / depth) !== from;
      return by === "zeros" && !first ? { ...piece, params: silenced(piece.params) } : piece;
    });
    const made = networkOf(network, [...pieces.slice(0, blocks[0]), ...run, ...pieces.slice(blocks.at(-1)! + 1)]);
    return expanded("interpolate", { depth, by } as Json, network, made);
  });
}

/** A block whose two outputs give 0. */
function silenced(params: Params): Params {
  const { out, down } = params;
  return { ...params, ...mapTensors((leaf: tf.Tensor) => tf.zerosLike(leaf), { out, down } as Params) };
}

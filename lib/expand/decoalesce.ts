import type { Json } from "../data/dataset.ts";
import { needShare } from "../data/options.ts";
import { mapTensors, tf } from "../engine/index.ts";
import { blocksIn, networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import type { LevelOptions } from "./coalesce.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { type Change, mapped } from "./parts/multilevel.ts";

/** What `decoalesce` can be told. */
export interface DecoalesceOptions extends LevelOptions {
  /** The network before it was made small. With it the two are mixed; without it the large network is the small one twice over. */
  readonly into?: TrainedNetwork;
  /** The share of the small network in the mixture; default 0.5. */
  readonly alpha?: number;
}

/**
 * A transformer of twice the width and depth made of a small one: the way up of a V-cycle.
 *
 * Columns of kernels stand twice, rows twice and halved, so that of twice the width it answers the same; each block stands twice. Twins would learn the
 * same for ever: `into` names the large network that `coalesce` was given, and what comes out is `(1 − alpha) · large + alpha · twins`.
 *
 * Zou et al. 2024, arXiv:2404.07999, section 3.1, equations 7 to 13 (de-coalescing and interpolation); `coalesce` is the way down.
 *
 * @throws RangeError where `into` has other sizes; TypeError for a network that is not like `vit` or `gpt`.
 *
 * @example
 * ```ts
 * import { expand, network, random, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const large = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const small = expand.coalesce(large).network;
 * expand.decoalesce(small, { into: large }).report.parameters; // [359, 1971]
 * ```
 */
export function decoalesce(
  network: TrainedNetwork,
  { width = true, depth = true, into, alpha = 0.5 }: DecoalesceOptions = {},
): Expanded {
  needShare("expand.decoalesce", "alpha", alpha);
  return tidied(() => {
    let pieces = piecesOf("expand.decoalesce", network);
    let { head } = network.weights;
    if (width) ({ pieces, head } = mapped("expand.decoalesce", network, pieces, doubled));
    if (depth) {
      const blocks = blocksIn("expand.decoalesce", pieces);
      pieces = pieces.flatMap((piece, i): Piece[] => (blocks.includes(i) ? [piece, piece] : [piece]));
    }
    const twins = networkOf(network, pieces, head);
    const options = { width, depth, ...(into && { alpha }) } as Json;
    if (into === undefined) return expanded("decoalesce", options, network, twins);
    const large = piecesOf("expand.decoalesce", into);
    const names = (of: readonly Piece[]): string => of.map(({ layer }) => layer.name).join(", ");
    if (names(large) !== names(pieces) || into.parameters !== twins.parameters)
      throw new RangeError(
        `expand.decoalesce: a network of ${twins.parameters} numbers is required to mix with, got one of ${into.parameters}`,
      );
    const mixed = <T>(a: T, b: T): T =>
      mapTensors((x: tf.Tensor, y: tf.Tensor) => tf.add(tf.mul(x, 1 - alpha), tf.mul(y, alpha)), a, b);
    const both = large.map((piece, i) => ({ ...piece, params: mixed(piece.params, pieces[i]!.params) }));
    const made = networkOf(into, both, mixed(into.weights.head, head));
    twins.dispose();
    return expanded("decoalesce", options, network, made);
  });
}

/** Each number along an axis twice, the second time behind all; where it is read, by half. */
const doubled: Change = {
  factor: 2,
  columns: (tensor, axis) => tf.concat([tensor, tensor], axis),
  rows: (tensor, axis) => tf.div(tf.concat([tensor, tensor], axis), 2),
};

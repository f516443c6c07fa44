import type { Json } from "../data/dataset.ts";
import { needOneOf, needWhole } from "../data/options.ts";
import { random, tf } from "../engine/index.ts";
import { branch } from "../models/layers/graph/branch.ts";
import type { Params } from "../models/model.ts";
import { inRow } from "../models/parts/named.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { placeOf, same, type Way, withUnits } from "./parts/kernels.ts";

/** What `branches` makes of a layer. */
export interface BranchesOptions {
  /** How many ways; default 2. */
  readonly ways?: number;
  /** "add": each way has all of the layer's units, and their sum is what the layer gave; "concat": each has a share of them, side by side. Default "add". */
  readonly join?: "add" | "concat";
  /** The deviation of what is added to the kernels of ways that are summed, over all of them nothing: else they would stay twins. Default 0.01. */
  readonly noise?: number;
  /** How many of the ways, from the last, get another layer behind that gives what it gets; default 0. */
  readonly deeper?: number;
  /** Draws the noise; default 0. */
  readonly seed?: number;
}

/**
 * Makes several ways out of a layer of a trained network without changing what it answers: a change of the network's paths, not of its widths.
 *
 * The layer is a convolution or a dense one, named as in the network's tensors: "4-conv". Ways can be made again out of the network that comes out, at the layers beside;
 * training goes on from there.
 *
 * Implements: P158 Path-level network transformation
 * Cai et al. 2018, "Path-level network transformation for efficient architecture search", arXiv:1806.02639, section 3.1: replication with addition, and with concatenation.
 * Differs from the paper: inputs are not split among ways, and ways go on as convolutions and dense layers alone; what to change is said, where theirs learns to choose.
 *
 * @throws RangeError for a layer that there is not, or more ways than units; TypeError for another kind of layer.
 *
 * @example
 * ```ts
 * import { expand, net, network, random, trained } from "thalweg";
 * const model = net().conv(4, 3).relu().globalPool();
 * const made = trained({ model, input: [6, 6, 1], weights: network(model, [6, 6, 1]).init(random(0), 2) });
 * expand.branches(made, "1-conv", { join: "concat" }).report.parameters; // [50, 50]
 * ```
 */
export function branches(network: TrainedNetwork, layer: string, options: BranchesOptions = {}): Expanded {
  const { ways = 2, join = "add", noise = 0.01, deeper = 0, seed = 0 } = options;
  needWhole("expand.branches", "ways", ways, 2);
  needWhole("expand.branches", "deeper", deeper, 0);
  needOneOf("expand.branches", "join", join, ["add", "concat"]);
  return tidied(() => {
    const pieces = piecesOf("expand.branches", network);
    const at = placeOf("expand.branches", pieces, layer);
    const piece = pieces[at]!;
    const made = (join === "add" ? summed(piece, ways, noise, seed) : parted(piece, ways)).map((way, i) =>
      i < ways - deeper ? [way] : [way, same(way)],
    );
    const own: Piece = {
      layer: branch(
        made.map((row) => inRow(row.map((each) => each.layer))),
        { join },
      ),
      params: Object.fromEntries(made.map((row, i) => [`${i + 1}-way`, paramsOf(row)])),
      statistics: {},
    };
    const next = networkOf(network, [...pieces.slice(0, at), own, ...pieces.slice(at + 1)]);
    return expanded("branches", { layer, ways, join, noise, deeper, seed } as Json, network, next);
  });
}

function paramsOf(row: readonly Way[]): Params {
  return Object.fromEntries(row.map(({ layer, params }, i) => [`${i + 1}-${layer.name}`, params]));
}

/** Ways with all units each, the kernels of which add up to the layer's. */
function summed(piece: Piece, ways: number, noise: number, seed: number): Way[] {
  const rng = random(seed).at("branches");
  const drawn = Array.from(
    { length: ways },
    (_, i): Params =>
      Object.fromEntries(
        Object.entries(piece.params).map(([name, own]) => [
          name,
          rng.at(name, i).normals((own as tf.Tensor).shape, 0, noise),
        ]),
      ),
  );
  return drawn.map((each) => ({
    layer: piece.layer,
    params: Object.fromEntries(
      Object.entries(piece.params).map(([name, own]) => {
        const mean = tf.div(tf.addN(drawn.map((other) => other[name] as tf.Tensor)), ways);
        return [name, tf.add(tf.div(own as tf.Tensor, ways), tf.sub(each[name] as tf.Tensor, mean))];
      }),
    ),
  }));
}

/** Ways with a share of the units each. */
function parted(piece: Piece, ways: number): Way[] {
  const { kernel, bias } = piece.params as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
  const units = kernel.shape.at(-1)!;
  if (units < ways) throw new RangeError(`expand.branches: at most ${units} ways are required, got ${ways}`);
  const sizes = Array.from(
    { length: ways },
    (_, i) => Math.floor(((i + 1) * units) / ways) - Math.floor((i * units) / ways),
  );
  const kernels = tf.split(kernel, sizes, kernel.rank - 1);
  const biases = bias === undefined ? [] : tf.split(bias, sizes, 0);
  return sizes.map((size, i) => ({
    layer: withUnits("expand.branches", piece, size),
    params: { kernel: kernels[i]!, ...(bias !== undefined && { bias: biases[i]! }) },
  }));
}

import { random, tf } from "../engine/index.ts";
import { relu } from "../models/layers/basic/relu.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { placeOf, same } from "./parts/kernels.ts";

/** What `deeper` can be told. */
export interface DeeperOptions {
  /** The deviation of what is added to the new kernel: 0 keeps what the network answers. Default 0. */
  readonly noise?: number;
  /** Draws the noise; default 0. */
  readonly seed?: number;
}

/**
 * Puts another layer behind a rectifier of a plain chain without changing what the network answers: a convolution of 3 × 3 pixels or a dense layer that gives
 * what it gets, and a rectifier, which leaves numbers of at least 0 as they are.
 *
 * The new layer is as wide as the last kernel before the rectifier. Transformers are made deeper by `grow`.
 *
 * Chen, Goodfellow and Shlens 2016, "Net2Net: accelerating learning via knowledge transfer", arXiv:1511.05641, section 2.3, equation 3.
 *
 * @throws RangeError for a layer that there is not; TypeError for another layer than `relu`, or one without a kernel before it.
 *
 * @example
 * ```ts
 * import { expand, net, network, random, trained } from "thalweg";
 * const model = net().conv(4, 3).relu().globalPool();
 * const made = trained({ model, input: [6, 6, 1], weights: network(model, [6, 6, 1]).init(random(0), 2) });
 * expand.deeper(made, "2-relu").network.model.stack?.map(({ name }) => name); // ["conv", "relu", "conv", "relu", "globalPool"]
 * ```
 */
export function deeper(network: TrainedNetwork, behind: string, { noise = 0, seed = 0 }: DeeperOptions = {}): Expanded {
  if (!(noise >= 0 && Number.isFinite(noise)))
    throw new RangeError(`expand.deeper: a noise of at least 0 is required, got ${noise}`);
  return tidied(() => {
    const pieces = piecesOf("expand.deeper", network);
    const at = placeOf("expand.deeper", pieces, behind, ["relu"]);
    const before = pieces.slice(0, at);
    const kernel = before.findLast(({ layer }) => ["conv", "dense"].includes(layer.name));
    if (kernel === undefined || before.slice(before.indexOf(kernel)).some(({ layer }) => layer.name === "flatten"))
      throw new TypeError("expand.deeper: a convolution or a dense layer before the rectifier is required, got none");
    const { layer, params } = same(kernel);
    const own = params.kernel as tf.Tensor;
    const drawn = tf.add(own, random(seed).at("deeper").normals(own.shape, 0, noise));
    const made: Piece[] = [
      { layer, params: { ...params, kernel: drawn }, statistics: {} },
      { layer: relu(), params: {}, statistics: {} },
    ];
    const next = networkOf(network, [...pieces.slice(0, at + 1), ...made, ...pieces.slice(at + 1)]);
    return expanded("deeper", { behind, noise, seed }, network, next);
  });
}

import type { Examples } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import { type TransformerOptions, transformer } from "../models/layers/attention/transformer.ts";
import type { Params } from "../models/model.ts";
import { factorsIn, rankLengths } from "../models/parts/factors.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import { isFactored } from "../models/parts/product.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { rankLayer } from "./low-rank.ts";
import { type Cut, cut } from "./parts/cut.ts";

/** Options of `ranks`. */
export interface RanksOptions {
  /** A rank whose importance is below this is cut. Default 1e-3. */
  readonly threshold?: number;
}

/**
 * Cuts from products of two factors the ranks that matter least, of a network that `maestro` has trained: what is left answers nearly the same with fewer numbers.
 *
 * Rank k matters by the length of column k of the first factor and all after it, times that of row k of the second and all after it; at least one rank is left.
 *
 * Horváth et al. 2023, "Maestro: uncovering low-rank structures via trainable decomposition", arXiv:2308.14929, with the hierarchical importance of its program.
 *
 * @throws TypeError for a network without such products.
 *
 * @example
 * ```ts
 * import { mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const big = trained({ model, input: [8], weights: network(model, [8]).init(random(0), 2) });
 * const factors = prune.lowRank(big, { times: 0.5 }).network;
 * prune.ranks(factors, { threshold: 0.4 }).report.parameters.after < factors.parameters; // true
 * ```
 */
export function ranks(network: TrainedNetwork, second: Examples | RanksOptions = {}, third: RanksOptions = {}): Cut {
  const where = "prune.ranks";
  const data = "read" in second ? second : null;
  const { threshold = 1e-3 } = data === null ? (second as RanksOptions) : third;
  if (!(threshold >= 0)) throw new RangeError(`${where}: a threshold of at least 0 is required, got ${threshold}`);
  const made = tidied(() => {
    const pieces = piecesOf(where, network);
    if (!pieces.some(({ layer, params }) => factorsIn({ [layer.name]: params }).length > 0))
      throw new TypeError(
        `${where}: a network with products of two factors is required, got ${pieces.map(({ layer }) => layer.name).join(", ")}; make some: prune.lowRank(network, { times: 0.5 })`,
      );
    return networkOf(
      network,
      pieces.map((piece) => truncated(piece, threshold)),
    );
  });
  return cut("ranks", { threshold }, network, made, data);
}

/** How many of the first ranks matter. */
export function ranksLeft(first: tf.Tensor2D, second: tf.Tensor2D, threshold: number): number {
  const [a, b] = rankLengths({ first, second }, true);
  const importance = tf.mul(a, b).dataSync();
  return Math.max(1, importance.filter((value) => value >= threshold).length);
}

function truncated(piece: Piece, threshold: number): Piece {
  const { layer, params, statistics } = piece;
  const { kind, units, bias = true } = layer.options as { kind?: string; units: number; bias?: boolean };
  if (layer.name === "structured" && kind === "lowRank") {
    const [own, rank] = firstRanks(params, threshold);
    return { layer: rankLayer(units, rank, bias), params: own, statistics };
  }
  if (layer.name !== "transformer" || factorsIn(params).length === 0) return piece;
  const { heads, ...options } = layer.options as unknown as TransformerOptions & { readonly heads: number };
  const left: { [part: string]: number } = {};
  const all = Object.entries(params).map(([part, node]) => {
    if (node instanceof tf.Tensor || !isFactored(node)) return [part, node];
    const [own, rank] = firstRanks(node, threshold);
    left[part] = rank;
    return [part, own];
  });
  return { layer: transformer(heads, { ...options, lowRank: left }), params: Object.fromEntries(all), statistics };
}

function firstRanks(own: Params, threshold: number): readonly [Params, number] {
  const [first, second] = [own.first, own.second].map((side) => (side as Params).kernel as tf.Tensor2D);
  const rank = ranksLeft(first!, second!, threshold);
  const kept = {
    first: { kernel: tf.slice(first!, [0, 0], [first!.shape[0], rank]) },
    second: { kernel: tf.slice(second!, [0, 0], [rank, second!.shape[1]]) },
  };
  return [{ ...own, ...kept }, rank];
}

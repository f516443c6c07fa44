import type { Examples } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import type { Layer } from "../models/layer.ts";
import { type TransformerOptions, transformer } from "../models/layers/attention/transformer.ts";
import { structured } from "../models/layers/basic/structured.ts";
import type { Params } from "../models/model.ts";
import { factorsOf } from "../models/parts/factors.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import { rankFor } from "../models/parts/product.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Cut, cut } from "./parts/cut.ts";

/** Options of `lowRank`. */
export interface LowRankOptions {
  /** How many times fewer numbers two factors have than their kernel; 0.5: factors of full rank, which give the same. Default 2. */
  readonly times?: number;
}

/**
 * Each kernel becomes two factors of a lower rank, the first singular values of it: a network with fewer numbers and operations that answers nearly as before.
 *
 * A kernel of i inputs and u units becomes `U√S` and `√S Vᵀ` of rank `i u / (times (i + u))`, rounded down. Of a network with transformer blocks these are all products of its blocks,
 * else all dense layers. `pela` trains what is left to be like the network it was, `maestro` finds ranks of its own.
 *
 * Guo, Wang and Kankanhalli 2023, "PELA: learning parameter-efficient models with low-rank approximation", arXiv:2310.10700, with the ranks of its program.
 *
 * @throws TypeError for a network with neither blocks nor dense layers; RangeError for `times` that is not above 0.
 *
 * @example
 * ```ts
 * import { mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [32] });
 * const big = trained({ model, input: [32], weights: network(model, [32]).init(random(0), 2) });
 * prune.lowRank(big, { times: 2 }).report.parameters; // { before: 1122, after: 610 }
 * ```
 */
export function lowRank(
  network: TrainedNetwork,
  second: Examples | LowRankOptions = {},
  third: LowRankOptions = {},
): Cut {
  const where = "prune.lowRank";
  const data = "read" in second ? second : null;
  const { times = 2 } = data === null ? (second as LowRankOptions) : third;
  if (!(times > 0)) throw new RangeError(`${where}: times above 0 are required, got ${times}`);
  const made = tidied(() => {
    const pieces = piecesOf(where, network);
    const target = pieces.some(({ layer }) => layer.name === "transformer") ? "transformer" : "dense";
    if (!pieces.some(({ layer }) => layer.name === target))
      throw new TypeError(
        `${where}: a network with transformer blocks or dense layers is required, got ${pieces.map(({ layer }) => layer.name).join(", ")}`,
      );
    const next = pieces.map((piece) => (piece.layer.name === target ? factored(piece, times) : piece));
    return networkOf(network, next);
  });
  return cut("lowRank", { times }, network, made, data);
}

function factored({ layer, params, statistics }: Piece, times: number): Piece {
  if (layer.name === "transformer") {
    const { heads, ...options } = layer.options as unknown as TransformerOptions & { readonly heads: number };
    const all = Object.entries(params).map(([part, own]) => [part, twoFor(own as Params, times)]);
    return { layer: transformer(heads, { ...options, lowRank: times }), params: Object.fromEntries(all), statistics };
  }
  const kernel = params.kernel as tf.Tensor2D;
  const { units, bias = true } = layer.options as { readonly units: number; readonly bias?: boolean };
  const rank = rankFor(kernel.shape[0], units, times);
  return { layer: rankLayer(units, rank, bias), params: twoFor(params, times), statistics };
}

/** A dense layer of two factors. */
export function rankLayer(units: number, rank: number, bias: boolean): Layer {
  return structured(units, { kind: "lowRank", rank, bias });
}

/** A part's kernel as two factors, with all else that it has; as it is where it has none. */
function twoFor(own: Params, times: number): Params {
  const { kernel, ...rest } = own as { readonly kernel?: tf.Tensor2D };
  if (own instanceof tf.Tensor || kernel === undefined || kernel.rank !== 2) return own;
  const { first, second } = factorsOf(kernel, rankFor(kernel.shape[0], kernel.shape[1], times));
  return { ...rest, first: { kernel: first }, second: { kernel: second } };
}

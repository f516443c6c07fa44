import { needOneOf } from "../data/options.ts";
import type { tf } from "../engine/index.ts";
import { type ConvOptions, conv } from "../models/layers/conv/conv.ts";
import { convBn as convBnLayer } from "../models/layers/conv/conv-bn.ts";
import { batchNorm } from "../models/layers/norm/batch-norm.ts";
import { folded } from "../models/parts/folded.ts";
import { epsilonOf, networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { everywhere } from "./parts/deep.ts";

/** The modes of a convolution with batch normalisation. */
export type ConvBnMode = "train" | "eval" | "tune" | "deploy";

/**
 * Puts each convolution of a trained network that is followed by batch normalisation into another mode; in evaluation it answers the same in all.
 *
 * "train": a convolution and `batchNorm`, as for a network that begins anew. "eval" and "tune": the layer `convBn`, whose running statistics stay; "tune"
 * is the one for tuning, at the cost of a convolution alone. "deploy": one convolution with a bias, for using the network: there is nothing left to
 * normalise, and it cannot be put into another mode again. Convolutions inside of residuals and branches are found too.
 *
 * You et al. 2023, arXiv:2305.11624, table 1; the layer is `convBn`.
 *
 * @throws TypeError for a network without such pairs.
 *
 * @example
 * ```ts
 * import { expand, net, network, random, trained } from "thalweg";
 * const model = net().conv(4, 3).batchNorm().relu().globalPool();
 * const made = trained({ model, input: [6, 6, 1], weights: network(model, [6, 6, 1]).init(random(0), 2) });
 * expand.convBn(made, "deploy").network.model.stack?.map(({ name }) => name); // ["conv", "relu", "globalPool"]
 * ```
 */
export function convBn(network: TrainedNetwork, mode: ConvBnMode): Expanded {
  needOneOf("expand.convBn", "mode", mode, ["train", "eval", "tune", "deploy"]);
  return tidied(() => {
    let found = 0;
    const pieces = everywhere(piecesOf("expand.convBn", network), (row) => {
      const out: Piece[] = [];
      for (let i = 0; i < row.length; i++) {
        const pair = pairAt(row, i);
        if (pair === null) {
          out.push(row[i]!);
          continue;
        }
        found++;
        out.push(...inMode(pair, mode));
        if (row[i]!.layer.name === "conv") i++;
      }
      return out;
    });
    if (found === 0)
      throw new TypeError(
        "expand.convBn: a network with convolutions followed by batchNorm is required, got one without",
      );
    return expanded("convBn", { mode }, network, networkOf(network, pieces));
  });
}

/** A convolution and its normalisation, however they are written. */
interface Pair {
  readonly filters: number;
  readonly window: number;
  readonly options: ConvOptions;
  readonly norm: { readonly momentum: number; readonly epsilon: number };
  readonly tensors: { readonly [name: string]: tf.Tensor | undefined };
  readonly statistics: Piece["statistics"];
}

function pairAt(row: readonly Piece[], i: number): Pair | null {
  const [piece, next] = [row[i]!, row[i + 1]];
  const fused = piece.layer.name === "convBn";
  if (!fused && (piece.layer.name !== "conv" || next?.layer.name !== "batchNorm")) return null;
  const {
    filters,
    window,
    mode: _,
    momentum,
    epsilon: __,
    ...options
  } = piece.layer.options as unknown as {
    readonly filters: number;
    readonly window: number;
    readonly mode?: string;
    readonly momentum?: number;
    readonly epsilon?: number;
  } & ConvOptions;
  const from = fused ? piece : next!;
  return {
    filters,
    window,
    options,
    norm: {
      momentum: momentum ?? (from.layer.options as { readonly momentum: number }).momentum,
      epsilon: epsilonOf(from),
    },
    tensors: { ...piece.params, ...from.params } as Pair["tensors"],
    statistics: from.statistics,
  };
}

function inMode({ filters, window, options, norm, tensors, statistics }: Pair, mode: ConvBnMode): readonly Piece[] {
  const { kernel, bias, scale, shift } = tensors as Record<string, tf.Tensor>;
  const own = { kernel: kernel!, ...(bias !== undefined && { bias }) };
  const affine = { scale: scale!, shift: shift! };
  if (mode === "train")
    return [
      { layer: conv(filters, window, options), params: own, statistics: {} },
      { layer: batchNorm(norm), params: affine, statistics },
    ];
  if (mode !== "deploy")
    return [
      { layer: convBnLayer(filters, window, { ...options, ...norm, mode }), params: { ...own, ...affine }, statistics },
    ];
  const { epsilon } = norm;
  const params = folded(own, { ...affine, epsilon }, statistics as never);
  return [
    {
      layer: conv(filters, window, { ...options, bias: true }),
      params: { ...params },
      statistics: {},
    },
  ];
}

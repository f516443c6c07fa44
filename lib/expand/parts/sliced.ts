/** Parts cut out of networks. */
import { tf } from "../../engine/index.ts";
import { type DenseOptions, dense } from "../../models/layers/basic/dense.ts";
import { type ConvOptions, conv } from "../../models/layers/conv/conv.ts";
import type { Params } from "../../models/model.ts";
import { type Elastic, elasticOf, type Subnet, unitsOf } from "../../models/parts/elastic.ts";
import { networkOf, type Piece, piecesOf, requirePlain, resized, sizesOf } from "../../models/parts/pieces.ts";
import type { TrainedNetwork } from "../../models/trained.ts";

/** A network as layers in a row, of which parts can be cut out. */
export interface Whole {
  /** The same network, its layers in one row. */
  readonly flat: TrainedNetwork;
  readonly elastic: Elastic;
  part(part: Subnet): TrainedNetwork;
}

/** Opens a network; the caller frees `flat`. */
export function wholeOf(where: string, network: TrainedNetwork): Whole {
  const pieces = piecesOf(where, network);
  const flat = networkOf(network, pieces);
  const elastic = elasticOf(where, flat.model, flat.input);
  return { flat, elastic, part: (part) => sliced(where, network, pieces, elastic, part) };
}

function sliced(
  where: string,
  network: TrainedNetwork,
  pieces: readonly Piece[],
  elastic: Elastic,
  { widths, depth }: Subnet,
): TrainedNetwork {
  const kept = new Map(elastic.sites.map((site, i) => [site.path, unitsOf(site, widths[i]!)]));
  /** How many of how many units the next kernel reads. */
  let before: Cut | null = null;
  let block = 0;
  const own = pieces.flatMap((piece, i): Piece[] => {
    const path = `model/${i + 1}-${piece.layer.name}`;
    if (piece.layer.name === "transformer") {
      if (block++ >= depth) return [];
      requirePlain(where, [piece]);
      return [narrow(piece, kept.get(`${path}/up`)!)];
    }
    if (!["dense", "conv"].includes(piece.layer.name)) return [piece];
    const had = (piece.params.kernel as tf.Tensor).shape.at(-1)!;
    const units = kept.get(path) ?? had;
    const made = cut(where, piece, before, units);
    before = units === had ? null : { had, kept: units };
    return [made];
  });
  const { kernel, ...rest } = network.weights.head as { readonly kernel: tf.Tensor };
  const head = before === null ? network.weights.head : { ...rest, kernel: read(kernel, before) };
  return networkOf(network, own, head as Params);
}

interface Cut {
  readonly had: number;
  readonly kept: number;
}

/** A block with the first units of its inner layer. */
function narrow(piece: Piece, units: number): Piece {
  const { up, down } = piece.params as { readonly [part: string]: Params };
  return {
    ...piece,
    layer: resized(piece, { ...sizesOf(piece), inner: units }),
    params: {
      ...piece.params,
      up: { kernel: firstOf(up!.kernel as tf.Tensor, 1, units), bias: firstOf(up!.bias as tf.Tensor, 0, units) },
      down: { ...down!, kernel: firstOf(down!.kernel as tf.Tensor, 0, units) },
    },
  };
}

/** A dense layer or convolution that reads and writes fewer units. */
function cut(where: string, { layer, params, statistics }: Piece, before: Cut | null, units: number): Piece {
  const { kernel, bias } = params as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
  const own = firstOf(before === null ? kernel : read(kernel, before), kernel.rank - 1, units);
  const {
    filters,
    units: _,
    window,
    ...options
  } = layer.options as unknown as {
    readonly filters?: number;
    readonly units?: number;
    readonly window: number;
  } & ConvOptions &
    DenseOptions;
  if ((options.groups ?? 1) > 1)
    throw new TypeError(`${where}: convolutions of one group are required, got one of ${options.groups}`);
  return {
    statistics,
    layer: filters === undefined ? dense(units, options) : conv(units, window, options),
    params: { kernel: own, ...(bias !== undefined && { bias: firstOf(bias, 0, units) }) },
  };
}

/** The rows of a kernel that belong to the units that are left, for each pixel of a window or of a flattened image. */
function read(kernel: tf.Tensor, { had, kept }: Cut): tf.Tensor {
  if (kernel.rank === 4) return firstOf(kernel, 2, kept);
  const [rows, units] = kernel.shape as [number, number];
  return tf.reshape(firstOf(tf.reshape(kernel, [rows / had, had, units]), 1, kept), [-1, units]);
}

/** The first numbers along an axis. */
function firstOf(tensor: tf.Tensor, axis: number, count: number): tf.Tensor {
  return tf.slice(
    tensor,
    tensor.shape.map(() => 0),
    tensor.shape.map((size, i) => (i === axis ? count : size)),
  );
}

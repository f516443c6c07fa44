import { needWhole } from "../data/options.ts";
import { random, tf } from "../engine/index.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";
import { placeOf, withUnits } from "./parts/kernels.ts";

/** What `wider` can be told. */
export interface WiderOptions {
  /** The deviation of what is added to the kernel of the new units, in deviations of the kernel: 0 keeps what the network answers. Default 0. */
  readonly noise?: number;
  /** Draws which units are copied, and the noise; default 0. */
  readonly seed?: number;
}

/** Layers that leave each unit by itself. */
const passing = [
  "relu",
  "leakyRelu",
  "gelu",
  "silu",
  "tanh",
  "sigmoid",
  "dropout",
  "pool",
  "globalPool",
  "flatten",
  "upsample",
];

/**
 * Gives a convolution or a dense layer of a plain chain more units without changing what the network answers: new ones are copies of some that there are,
 * drawn at random, and what reads a unit is shared out among its copies.
 *
 * Normalisations behind the layer (`batchNorm`) are copied with the units. The next kernel that reads them, or the head, has its rows divided by how many
 * copies there are. Transformers are made wider by `grow`.
 *
 * Chen, Goodfellow and Shlens 2016, "Net2Net: accelerating learning via knowledge transfer", arXiv:1511.05641, section 2.2, equations 1 and 2.
 *
 * @throws RangeError for a layer that there is not, or fewer units than it has; TypeError where what follows mixes units.
 *
 * @example
 * ```ts
 * import { expand, net, network, random, trained } from "thalweg";
 * const model = net().dense(4).relu().dense(3).relu();
 * const made = trained({ model, input: [2], weights: network(model, [2]).init(random(0), 2) });
 * expand.wider(made, "1-dense", 6).report.parameters; // [35, 47]
 * ```
 */
export function wider(
  network: TrainedNetwork,
  layer: string,
  units: number,
  { noise = 0, seed = 0 }: WiderOptions = {},
): Expanded {
  needWhole("expand.wider", "units", units);
  if (!(noise >= 0 && Number.isFinite(noise)))
    throw new RangeError(`expand.wider: a noise of at least 0 is required, got ${noise}`);
  return tidied(() => {
    const pieces = piecesOf("expand.wider", network);
    const at = placeOf("expand.wider", pieces, layer);
    const { kernel, bias } = pieces[at]!.params as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
    const had = kernel.shape.at(-1)!;
    if (units < had) throw new RangeError(`expand.wider: at least ${had} units are required, got ${units}`);
    const rng = random(seed).at("wider");
    const from = Int32Array.from({ length: units }, (_, i) => (i < had ? i : rng.at("unit", i).int(had)));
    const copies = (tensor: tf.Tensor): tf.Tensor => tf.gather(tensor, tf.tensor1d(from, "int32"), tensor.rank - 1);
    const counts = new Float32Array(had);
    for (const unit of from) counts[unit]! += 1;
    const shares = tf.tensor1d(Float32Array.from(from, (i) => 1 / counts[i]!));
    const read = (tensor: tf.Tensor): tf.Tensor => shared(tensor, had, from, shares);
    const own = copies(kernel);
    const stirred =
      noise === 0
        ? own
        : tf.add(
            own,
            tf.mul(
              rng.at("noise").normals(own.shape, 0, noise * deviation(kernel)),
              tf.tensor1d(Float32Array.from({ length: units }, (_, i) => +(i >= had))),
            ),
          );
    const out: Piece[] = pieces.map((piece, i) =>
      i === at
        ? {
            layer: withUnits("expand.wider", piece, units),
            params: { kernel: stirred, ...(bias !== undefined && { bias: copies(bias) }) },
            statistics: {},
          }
        : piece,
    );
    const reader = pieces.findIndex(
      ({ layer }, i) => i > at && !passing.includes(layer.name) && layer.name !== "batchNorm",
    );
    for (let i = at + 1; i < (reader < 0 ? pieces.length : reader); i++) {
      const piece = pieces[i]!;
      if (piece.layer.name !== "batchNorm") continue;
      const each = (tree: Piece["params"]): Piece["params"] =>
        Object.fromEntries(Object.entries(tree).map(([name, tensor]) => [name, copies(tensor as tf.Tensor)]));
      out[i] = { layer: piece.layer, params: each(piece.params), statistics: each(piece.statistics) };
    }
    let { head } = network.weights;
    if (reader < 0) {
      if (network.structure.head.spec.name !== "linear")
        throw new TypeError(`expand.wider: a linear head is required, got ${network.structure.head.spec.name}`);
      head = { ...head, kernel: read(head.kernel as tf.Tensor) };
    } else {
      const piece = pieces[reader]!;
      if (!["conv", "dense"].includes(piece.layer.name))
        throw new TypeError(
          `expand.wider: layers that leave units by themselves up to the next kernel are required, got ${piece.layer.name}`,
        );
      withUnits("expand.wider", piece, (piece.params.kernel as tf.Tensor).shape.at(-1)!); // throws for groups
      out[reader] = { ...piece, params: { ...piece.params, kernel: read(piece.params.kernel as tf.Tensor) } };
    }
    return expanded("wider", { layer, units, noise, seed }, network, networkOf(network, out, head));
  });
}

/** The rows of a kernel that read units, for each pixel of a window or of a flattened image, shared out among copies. */
function shared(kernel: tf.Tensor, had: number, from: Int32Array, shares: tf.Tensor): tf.Tensor {
  const units = kernel.shape.at(-1)!;
  const rows = tf.reshape(kernel, [-1, had, units]);
  const copied = tf.mul(tf.gather(rows, tf.tensor1d(from, "int32"), 1), tf.reshape(shares, [1, from.length, 1]));
  return tf.reshape(copied, kernel.rank === 4 ? [...kernel.shape.slice(0, 2), from.length, units] : [-1, units]);
}

/** The deviation of the numbers of a tensor. */
function deviation(tensor: tf.Tensor): number {
  return Math.sqrt(tf.moments(tensor).variance.dataSync()[0]!);
}

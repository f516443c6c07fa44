import { random, tf } from "../engine/index.ts";
import { product, symmetricEigen, transposed } from "../engine/linear-algebra.ts";
import { templateDense } from "../models/layers/basic/template-dense.ts";
import { type TemplateConvOptions, templateConv } from "../models/layers/conv/template-conv.ts";
import type { Params } from "../models/model.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import { blockName, blocksOfGrid, setOf } from "../models/parts/templates.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** What `recombine` can be told. */
export interface RecombineOptions {
  /** The length of new coefficients; 0 lets the two networks stand side by side. Default 1. */
  readonly scale?: number;
  /** Draws the new coefficients' signs; default 0. */
  readonly seed?: number;
}

/** Layers beside those of templates: what passes through them keeps its channels apart. */
const passing = ["relu", "leakyRelu", "gelu", "silu", "tanh", "dropout", "pool", "globalPool", "upsample"];

/**
 * A network of twice the width out of two trained ones of the same layers of templates: their kernels stand on the diagonal, and what joins them is new
 * combinations of the templates that both have learnt.
 *
 * Of the 2 × 2 blocks of a kernel the first mixes the templates of network a with the coefficients it had, the last those of b; the block from a's channels to b's
 * units mixes b's templates, and the other a's, each with coefficients at right angles to those before. Normalisations and biases stand side by side, and
 * so do the rows of the head, so that logits are sums. Two small networks are trained one after the other, or at once; training of the large one goes on with
 * `from(grown, { head: "keep" })`.
 *
 * Implements: P359 MixtureGrowth
 * Pham et al. 2024, "MixtureGrowth: growing neural networks by recombining learned parameters", arXiv:2311.04251, section 3; which templates a block mixes is as
 * in the authors' program.
 * Differs from the paper: the head is not made of templates; templates are not shared among layers; where a network has more blocks already, each grows to as
 * many again.
 *
 * @throws TypeError for networks of other layers than `templateConv`, `templateDense`, `batchNorm` and functions of each number, or of layers that differ.
 *
 * @example
 * ```ts
 * import { expand, net, network, random, trained } from "thalweg";
 * const model = net().templateConv(4, 3).relu().templateConv(4, 3).relu().globalPool();
 * const [a, b] = [0, 1].map((seed) => trained({ model, input: [6, 6, 1], weights: network(model, [6, 6, 1]).init(random(seed), 2) }));
 * expand.recombine(a!, b!).network.model.features([6, 6, 1]); // [8]
 * ```
 */
export function recombine(
  a: TrainedNetwork,
  b: TrainedNetwork,
  { scale = 1, seed = 0 }: RecombineOptions = {},
): Expanded {
  if (!(scale >= 0 && Number.isFinite(scale)))
    throw new RangeError(`expand.recombine: a scale of at least 0 is required, got ${scale}`);
  return tidied(() => {
    const [own, other] = [a, b].map((network) => piecesOf("expand.recombine", network)) as [Piece[], Piece[]];
    const told = (pieces: readonly Piece[]): string =>
      JSON.stringify(pieces.map(({ layer }) => [layer.name, layer.options]));
    if (told(own) !== told(other) || String(a.input) !== String(b.input) || a.classes.length !== b.classes.length)
      throw new TypeError(
        "expand.recombine: two networks of the same layers, input and classes are required, got others",
      );
    const rng = random(seed).at("recombine");
    let begun = false;
    const pieces = own.map((piece, i): Piece => {
      const { name } = piece.layer;
      if (name === "templateConv" || name === "templateDense") {
        const joined = joinedKernel(piece, other[i]!, begun, scale, (block) =>
          rng.at(i, block).uniform() < 0.5 ? -1 : 1,
        );
        begun = true;
        return joined;
      }
      if (name === "batchNorm" && begun)
        return {
          layer: piece.layer,
          params: beside(piece.params, other[i]!.params),
          statistics: beside(piece.statistics, other[i]!.statistics),
        };
      if (begun ? passing.includes(name) : Object.keys(piece.params).length === 0) return piece;
      throw new TypeError(
        `expand.recombine: layers of templates, batchNorm and functions of each number are required, got ${name}; put globalPool() between convolutions and dense layers`,
      );
    });
    if (!begun)
      throw new TypeError(
        "expand.recombine: a network with templateConv or templateDense is required, got one without",
      );
    const [first, second] = [a, b].map(({ weights }) => weights.head as Record<string, tf.Tensor>);
    const head = Object.fromEntries(
      Object.entries(first!).map(([name, tensor]) => [
        name,
        tensor.rank === 1 ? tf.add(tensor, second![name]!) : tf.concat([tensor, second![name]!], 0),
      ]),
    );
    return expanded("recombine", { scale, seed }, a, networkOf(a, pieces, head));
  });
}

/** Tensors of the one network before those of the other. */
function beside(a: Params, b: Params): Params {
  return Object.fromEntries(
    Object.entries(a).map(([name, tensor]) => [name, tf.concat([tensor as tf.Tensor, b[name] as tf.Tensor], 0)]),
  );
}

/** A layer of twice the units, and, where something came before it, of twice the inputs. */
function joinedKernel(a: Piece, b: Piece, both: boolean, scale: number, sign: (block: number) => number): Piece {
  const { filters, units, window, ...rest } = a.layer.options as unknown as {
    readonly filters?: number;
    readonly units?: number;
    readonly window: number;
    readonly grid: readonly [number, number];
  } & TemplateConvOptions;
  const had = rest.grid;
  const grid = [both ? 2 * had[0] : had[0], 2 * had[1]] as const;
  const options = { ...rest, grid };
  const layer = filters === undefined ? templateDense(2 * units!, options) : templateConv(2 * filters, window, options);
  const tensors = (piece: Piece, of: "templates" | "coefficients"): Record<string, tf.Tensor> =>
    piece.params[of] as Record<string, tf.Tensor>;
  const templates = Object.fromEntries(
    [a, b].flatMap((piece, k) =>
      Object.entries(tensors(piece, "templates")).map(([set, tensor]) => [`${Number(set) + k * had[1]}`, tensor]),
    ),
  );
  /** The coefficients of each set so far. */
  const known = new Map<string, number[][]>();
  const coefficients: Record<string, tf.Tensor> = {};
  const all = blocksOfGrid(grid).map(([i, j]) => {
    const k = j < had[1] ? 0 : 1;
    const from = both ? [i - k * had[0], j - k * had[1]] : [i, j - k * had[1]];
    const kept =
      from[0]! >= 0 && from[0]! < had[0]
        ? tensors([a, b][k]!, "coefficients")[blockName(from[0]!, from[1]!)]
        : undefined;
    return { i, j, kept, set: setOf(grid, i, j) };
  });
  for (const { i, j, kept, set } of all) {
    if (kept === undefined) continue;
    coefficients[blockName(i, j)] = kept;
    known.set(set, [...(known.get(set) ?? []), [...kept.dataSync()]]);
  }
  for (const [block, { i, j, kept, set }] of all.entries()) {
    if (kept !== undefined) continue;
    const before = known.get(set)!;
    const found = leastSeen(before).map((x) => x * scale * sign(block));
    coefficients[blockName(i, j)] = tf.tensor1d(found);
    known.set(set, [...before, found]);
  }
  const bias = a.params.bias === undefined ? {} : beside({ bias: a.params.bias }, { bias: b.params.bias! });
  return { layer, params: { templates, coefficients, ...bias }, statistics: {} };
}

/** A direction of length 1 that some rows have least of: at right angles to them all where there is one. */
function leastSeen(rows: readonly (readonly number[])[]): number[] {
  const width = rows[0]!.length;
  const all = Float64Array.from(rows.flat());
  const gram = product(transposed(all, rows.length, width), all, width, rows.length, width);
  return [...symmetricEigen(gram, width).vectors.slice((width - 1) * width)];
}

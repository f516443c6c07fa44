import type { Examples } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import { tf } from "../engine/index.ts";
import type { Layer } from "../models/layer.ts";
import { embedding } from "../models/layers/attention/embedding.ts";
import { dense } from "../models/layers/basic/dense.ts";
import { type Params, tape } from "../models/model.ts";
import { sampleOf } from "../models/parts/kernel-layers.ts";
import {
  blocksIn,
  networkOf,
  type Piece,
  piecesOf,
  requirePlain,
  resized,
  sizesOf,
  tidied,
} from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Cut, cut } from "./parts/cut.ts";

/** What `minitron` can be told: how many of each stay, 0 for all. */
export interface MinitronOptions {
  /** Blocks. */
  readonly depth?: number;
  /** Heads of attention in each block. */
  readonly heads?: number;
  /** Numbers between the two dense layers of each block. */
  readonly inner?: number;
  /** Numbers at each place: the width of all that passes from block to block. */
  readonly width?: number;
  /** Examples that importance is measured on, at most; default 128. */
  readonly samples?: number;
}

/**
 * Minitron: a transformer becomes a smaller one of the same kind, by what its parts do on some examples: blocks, heads, inner numbers and channels that
 * matter least are cut out. What is left is taught by the network it was made of: `distil`.
 *
 * One pass measures all: an inner number by the size of what its unit gives, a head by the length of what it gives, a channel by the size that it has after each
 * normalisation, over all blocks; each as the mean over places and the root of the sum of squares over examples. A block matters by `1 − cos` between what comes in and what goes
 * out, on the mean.
 *
 * Implements: P366 Minitron
 *
 * Muralidharan et al. 2024, "Compact language models via pruning and knowledge distillation", arXiv:2407.14679, section 2.2 (importance) and 2.3; a block's measure is
 * the block importance of Men et al. 2024, arXiv:2403.03853. Differs from the paper: heads keep no rest of those that are cut; architectures are not searched for.
 *
 * @throws TypeError for another network than one like `vit` or `gpt`; RangeError where more are to stay than there are.
 *
 * @example
 * ```ts
 * import { network, prune, random, table, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
 * const two = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const rows = table(new Float32Array(128).map((_, i) => i % 7), new Int32Array(2), [8, 8, 1], 1);
 * prune.minitron(two, rows, { depth: 1, inner: 16, heads: 1, width: 6 }).network.features(rows).shape; // [2, 6]
 * ```
 */
export function minitron(network: TrainedNetwork, data: Examples, options: MinitronOptions = {}): Cut {
  const where = "prune.minitron";
  const { depth = 0, heads = 0, inner = 0, width = 0, samples = 128 } = options;
  needWhole(where, "samples", samples);
  if (data.length === 0) throw new TypeError(`${where}: a table of examples is required, got an empty one`);
  const made = tidied(() => {
    const pieces = piecesOf(where, network);
    const flat = networkOf(network, pieces);
    const blocks = blocksIn(where, pieces);
    requirePlain(
      where,
      blocks.map((i) => pieces[i]!),
    );
    const seen = importanceOf(flat, pieces, data, samples);
    const stay = (what: string, scores: readonly number[], count: number): readonly number[] => {
      needWhole(where, what, count, 0);
      if (count > scores.length)
        throw new RangeError(`${where}: ${what} of at most ${scores.length} is required, got ${count}`);
      const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
      return order.slice(0, count === 0 ? scores.length : count).sort((a, b) => a - b);
    };
    const channels = stay("width", seen.channels, width);
    const left = new Set(stay("depth", seen.blocks, depth).map((k) => blocks[k]!));
    const next = pieces.flatMap((piece, i): Piece[] => {
      const k = blocks.indexOf(i);
      if (k < 0) return [narrowed(piece, channels, seen.channels.length)];
      if (!left.has(i)) return [];
      return [narrower(piece, channels, stay("heads", seen.heads[k]!, heads), stay("inner", seen.inner[k]!, inner))];
    });
    const { kernel, ...rest } = network.weights.head as { readonly kernel: tf.Tensor };
    return networkOf(network, next, { ...rest, kernel: taken(kernel, 0, channels) });
  });
  return cut("minitron", { depth, heads, inner, width }, network, made, data);
}

/** How much each part matters. */
interface Importance {
  readonly blocks: readonly number[];
  readonly heads: readonly (readonly number[])[];
  readonly inner: readonly (readonly number[])[];
  readonly channels: readonly number[];
}

/** Measures all parts in one pass. */
export function importanceOf(
  { structure, weights, statistics }: TrainedNetwork,
  pieces: readonly Piece[],
  data: Examples,
  samples: number,
): Importance {
  const names = pieces.flatMap(({ layer }, i) => (layer.name === "transformer" ? [`${i + 1}-transformer`] : []));
  const found = new Map<string, tf.Tensor>();
  const x = sampleOf(data, samples);
  const n = x.shape[0]!;
  /** Of rows `[n · places, …]` the mean size over places, then the length over examples: `[…]`. */
  const gathered = (rows: tf.Tensor): tf.Tensor => {
    const byExample = tf.reshape(tf.abs(rows), [n, rows.shape[0]! / n, ...rows.shape.slice(1)]);
    return tf.norm(tf.mean(byExample, 1), 2, 0);
  };
  const blocks: number[] = [];
  const { mode } = tape(false, null, statistics, {
    tap(path, _input, output, rows) {
      const [at, part] = path.slice(-2);
      if (!names.includes(at!)) return output;
      if (part === "up") found.set(`${at} inner`, gathered(output));
      if (part === "up" || part === "query") found.set(`${at} ${part} channels`, gathered(rows()));
      if (part === "out") {
        const { heads, values } = sizesOf(pieces[Number.parseInt(at!, 10) - 1]!);
        const seen = tf.reshape(rows(), [-1, heads, values]);
        found.set(`${at} heads`, gathered(tf.norm(seen, 2, 2)));
      }
      return output;
    },
    around(path, given, run) {
      const out = run(given);
      if (names.includes(path.at(-1)!)) {
        const cosines = tf.div(
          tf.sum(tf.mul(given, out), -1),
          tf.maximum(tf.mul(tf.norm(given, 2, -1), tf.norm(out, 2, -1)), 1e-12),
        );
        blocks.push(1 - tf.mean(cosines).dataSync()[0]!);
      }
      return out;
    },
  });
  structure.features(weights, x, mode);
  const of = (name: string): number[] => [...found.get(name)!.dataSync()];
  const channels = names.flatMap((name) => ["query", "up"].map((part) => of(`${name} ${part} channels`)));
  return {
    blocks,
    heads: names.map((name) => of(`${name} heads`)),
    inner: names.map((name) => of(`${name} inner`)),
    channels: channels[0]!.map((_, i) => channels.reduce((sum, own) => sum + own[i]!, 0)),
  };
}

function taken(tensor: tf.Tensor, axis: number, which: readonly number[]): tf.Tensor {
  return which.length === tensor.shape[axis] ? tensor : tf.gather(tensor, tf.tensor1d([...which], "int32"), axis);
}

/** A layer around the blocks with some of its channels. */
function narrowed(piece: Piece, channels: readonly number[], width: number): Piece {
  const own = (tree: Params): Params =>
    Object.fromEntries(
      Object.entries(tree).map(([name, node]) => [
        name,
        node instanceof tf.Tensor && node.shape.at(-1) === width
          ? taken(node, node.rank - 1, channels)
          : node instanceof tf.Tensor
            ? node
            : own(node),
      ]),
    );
  const { tokens, units, ...rest } = piece.layer.options as { readonly tokens: number; readonly units: number };
  const layer: Layer =
    piece.layer.name === "dense"
      ? dense(units === width ? channels.length : units, rest as object)
      : piece.layer.name === "embedding"
        ? embedding(tokens, channels.length, rest as object)
        : piece.layer;
  return { layer, params: own(piece.params), statistics: piece.statistics };
}

/** A block with some of its channels, heads and inner numbers. */
function narrower(
  piece: Piece,
  channels: readonly number[],
  heads: readonly number[],
  inner: readonly number[],
): Piece {
  const sizes = sizesOf(piece);
  const slots = (each: number): number[] =>
    heads.flatMap((head) => Array.from({ length: each }, (_, i) => head * each + i));
  const [keys, values] = [slots(sizes.keys), slots(sizes.values)];
  const { params } = piece;
  const product = (part: string, rows: readonly number[], columns: readonly number[]): Params => {
    const { kernel, bias } = params[part] as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
    return {
      kernel: taken(taken(kernel, 0, rows), 1, columns),
      ...(bias !== undefined && { bias: taken(bias, 0, columns) }),
    };
  };
  const norm = (part: string): Params =>
    Object.fromEntries(
      Object.entries(params[part] as Params).map(([name, node]) => [name, taken(node as tf.Tensor, 0, channels)]),
    );
  return {
    layer: resized(piece, { ...sizes, heads: heads.length, inner: inner.length, width: channels.length }),
    params: {
      before: norm("before"),
      query: product("query", channels, keys),
      key: product("key", channels, keys),
      value: product("value", channels, values),
      out: product("out", values, channels),
      between: norm("between"),
      up: product("up", channels, inner),
      down: product("down", inner, channels),
    },
    statistics: piece.statistics,
  };
}

import type { Json } from "../data/dataset.ts";
import { needWhole, withDefaults } from "../data/options.ts";
import { type Rng, random, tf } from "../engine/index.ts";
import { embedding } from "../models/layers/attention/embedding.ts";
import { dense } from "../models/layers/basic/dense.ts";
import { layerNorm } from "../models/layers/norm/layer-norm.ts";
import type { Params } from "../models/model.ts";
import {
  type BlockSizes,
  blocksIn,
  epsilonOf,
  networkOf,
  type Piece,
  padded,
  piecesOf,
  placed,
  requirePlain,
  resized,
  sizesOf,
  tidied,
} from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/** What `grow` makes larger. What is left out stays. */
export interface GrowOptions {
  /** Units of the inner dense layer of each block. */
  readonly inner?: number;
  /** Heads of attention. */
  readonly heads?: number;
  /** Numbers of each value. */
  readonly values?: number;
  /** Numbers of each query and key. */
  readonly keys?: number;
  /** Numbers at each place of the sequence. */
  readonly width?: number;
  /** Where new blocks go: each before the block of that number, from 0; as many as there are puts one behind the last. */
  readonly layers?: readonly number[];
  /** Draws the new numbers that are free; default 0. */
  readonly seed?: number;
}

/**
 * Makes a transformer larger without changing what it answers: what is new is drawn, and what reads it is zero.
 *
 * Six operators, alone or together:
 *
 * - `inner`: new units of the inner layer are drawn, their rows of the second kernel are 0;
 * - `heads`: queries, keys and values of new heads are drawn, their rows of the output's kernel are 0;
 * - `values`: the same within each head;
 * - `keys`: new numbers of queries are drawn, of keys they are 0, and keys are multiplied by √(new/old), which the scale of attention takes back;
 * - `width`: what writes new places of the residual stream is 0, what reads them is drawn, scales of normalisations are multiplied by √(old/new);
 * - `layers`: new blocks are drawn, with outputs that are 0.
 *
 * Training goes on from there, also between the experiences of a stream: `stream.learn(from(grown))`.
 *
 * Implements: P248 Function-preserving expansions
 * Gesmundo and Maile 2023, "Composable function-preserving expansions for Transformer architectures", arXiv:2308.06103, section 3, definitions 3.1 to 3.6.
 * Differs from the paper: normalisations also take the mean away. For `width` whatever is written to the residual stream has its mean taken away first,
 * which normalisation would do, so that zeros beside it change no mean; epsilon is multiplied by old/new.
 *
 * @throws RangeError for a size below what is there; TypeError, for `width`, where something but normalisations reads the residual stream.
 *
 * @example
 * ```ts
 * import { expand, network, random, tf, trained, vit } from "thalweg";
 * const model = vit({ patch: 4, width: 8, depth: 1, heads: 2 });
 * const small = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
 * const large = expand.grow(small, { inner: 64, heads: 3, width: 12, layers: [1] }).network;
 * const x = tf.ones([1, 8, 8, 1]);
 * const [a, b] = [small.predict(x).dataSync(), large.predict(x).dataSync()];
 * a.every((logit, i) => Math.abs(logit - b[i]!) < 1e-5); // true
 * ```
 */
export function grow(network: TrainedNetwork, options: GrowOptions = {}): Expanded {
  const { seed, layers, ...sizes } = withDefaults<GrowOptions & { seed: number; layers: readonly number[] }>(
    "expand.grow",
    options,
    { inner: 0, heads: 0, values: 0, keys: 0, width: 0, layers: [], seed: 0 },
  );
  const rng = random(seed).at("grow");
  return tidied(() => {
    const pieces = piecesOf("expand.grow", network);
    const blocks = blocksIn("expand.grow", pieces);
    const first = sizesOf(pieces[blocks[0]!]!);
    requirePlain(
      "expand.grow",
      blocks.map((at) => pieces[at]!),
    );
    const width = larger("width", sizes.width, first.width);
    if (width > first.width) requireStream(network, pieces);
    const grown = pieces.map((piece, i): Piece => {
      if (!blocks.includes(i)) return width > first.width ? widened(piece, first.width, width, i < blocks[0]!) : piece;
      const own = sizesOf(piece);
      const next = {
        inner: larger("inner", sizes.inner, own.inner),
        heads: larger("heads", sizes.heads, own.heads),
        values: larger("values", sizes.values, own.values),
        keys: larger("keys", sizes.keys, own.keys),
        width,
      };
      return block(piece, own, next, rng.at(i));
    });
    for (const [k, place] of [...layers].sort((a, b) => b - a).entries()) {
      needWhole("expand.grow", "a place among layers", place, 0);
      if (place > blocks.length)
        throw new RangeError(`expand.grow: places from 0 to ${blocks.length} are required, got ${place}`);
      const like = grown[blocks[Math.min(place, blocks.length - 1)]!]!;
      const at = place < blocks.length ? blocks[place]! : blocks.at(-1)! + 1;
      grown.splice(at, 0, silent(like, rng.at("layer", k)));
    }
    const { kernel, ...rest } = network.weights.head as { readonly kernel: tf.Tensor };
    const head =
      width === first.width
        ? network.weights.head
        : { ...rest, kernel: placed(kernel, drawn(rng.at("head"), [width, kernel.shape[1]!])) };
    const made = networkOf(network, grown, head);
    return expanded("grow", { ...options } as Json, network, made);
  });
}

/** A size that is asked for, or that is there where none is. */
function larger(what: string, wanted: number | undefined, had: number): number {
  if (wanted === undefined || wanted === 0) return had;
  needWhole("expand.grow", what, wanted);
  if (wanted < had) throw new RangeError(`expand.grow: ${what} of at least ${had} is required, got ${wanted}`);
  return wanted;
}

/** Numbers as a layer with so many inputs draws them. */
function drawn(rng: Rng, shape: readonly number[]): tf.Tensor {
  const bound = 1 / Math.sqrt(shape[0]!);
  return rng.uniforms([...shape], -bound, bound);
}

/** What a block is with larger sizes. */
function block(piece: Piece, own: BlockSizes, next: BlockSizes, rng: Rng): Piece {
  const layer = resized(piece, next, (epsilonOf(piece) * own.width) / next.width);
  const fresh = layer.init!(rng, [1, next.width]);
  const { heads, width } = next;
  const widens = width > own.width;
  const both = (part: string): readonly [had: Params, has: Params] => [
    piece.params[part] as Params,
    fresh[part] as Params,
  ];
  /** A kernel or bias whose columns are those of heads. */
  const byHead = (part: string, size: number, into: number, read: (had: tf.Tensor, has: tf.Tensor) => tf.Tensor) => {
    const [had, has] = both(part);
    const of = (name: string): tf.Tensor => {
      const [old, now] = [had[name], has[name]] as [tf.Tensor, tf.Tensor];
      const rows = name === "bias" ? [1, 1] : [own.width, width];
      return tf.reshape(
        read(tf.reshape(old, [rows[0]!, own.heads, size]), tf.reshape(now, [rows[1]!, heads, into])),
        now.shape,
      );
    };
    return { kernel: of("kernel"), ...(had.bias !== undefined && { bias: of("bias") }) };
  };
  const scale = Math.sqrt(next.keys / own.keys);
  const keys = (had: tf.Tensor, has: tf.Tensor): tf.Tensor =>
    placed(padded(tf.mul(had, scale), [had.shape[0]!, own.heads, next.keys]), has);
  const writes = (kernel: tf.Tensor, bias: tf.Tensor, shape: readonly number[]): Params => ({
    kernel: tf.reshape(padded(widens ? centred(kernel) : kernel, shape), [-1, width]),
    bias: padded(widens ? centred(bias) : bias, [width]),
  });
  const [[up, newUp], [out], [down]] = [both("up"), both("out"), both("down")];
  return {
    ...piece,
    layer,
    params: {
      before: norm(piece.params.before as Params, width),
      query: byHead("query", own.keys, next.keys, placed),
      key: byHead("key", own.keys, next.keys, keys),
      value: byHead("value", own.values, next.values, placed),
      out: writes(tf.reshape(out.kernel as tf.Tensor, [own.heads, own.values, own.width]), out.bias as tf.Tensor, [
        heads,
        next.values,
        width,
      ]),
      between: norm(piece.params.between as Params, width),
      up: {
        kernel: placed(up.kernel as tf.Tensor, newUp.kernel as tf.Tensor),
        bias: placed(up.bias as tf.Tensor, newUp.bias as tf.Tensor),
      },
      down: writes(down.kernel as tf.Tensor, down.bias as tf.Tensor, [next.inner, width]),
    },
  };
}

/** A new block like another one that gives what it gets. */
function silent(like: Piece, rng: Rng): Piece {
  const fresh = like.layer.init!(rng, [1, sizesOf(like).width]);
  const still = (part: string): Params => ({
    kernel: tf.zerosLike((fresh[part] as Params).kernel as tf.Tensor),
    bias: tf.zerosLike((fresh[part] as Params).bias as tf.Tensor),
  });
  return { ...like, params: { ...fresh, out: still("out"), down: still("down") } };
}

/** Numbers without the mean over their last axis, which the next normalisation takes away anyway. */
function centred(tensor: tf.Tensor): tf.Tensor {
  return tf.sub(tensor, tf.mean(tensor, -1, true));
}

/** A normalisation of more numbers, of which the new ones are 0. */
function norm({ scale, shift }: Params, width: number): Params {
  const [had, by] = [scale as tf.Tensor, shift as tf.Tensor];
  const shrunk = tf.mul(had, Math.sqrt(had.size / width));
  return { scale: placed(shrunk, tf.ones([width])), shift: padded(by, [width]) };
}

/** What is beside the blocks with a wider residual stream. */
function widened(piece: Piece, had: number, width: number, before: boolean): Piece {
  const wide = (tensor: tf.Tensor): tf.Tensor => padded(centred(tensor), [...tensor.shape.slice(0, -1), width]);
  const all = (tree: Params): Params =>
    Object.fromEntries(
      Object.entries(tree).map(([name, node]) => [name, node instanceof tf.Tensor ? wide(node) : all(node)]),
    );
  const { layer, params } = piece;
  const options = layer.options as { readonly tokens: number; readonly units: number };
  if (layer.name === "layerNorm")
    return { ...piece, layer: layerNorm({ epsilon: (epsilonOf(piece) * had) / width }), params: norm(params, width) };
  if (!before) return piece;
  if (layer.name === "dense") {
    const { units: _, ...rest } = options;
    return { ...piece, layer: dense(width, rest as object), params: all(params) };
  }
  if (layer.name === "embedding") {
    const { tokens, units: _, ...rest } = options;
    return { ...piece, layer: embedding(tokens, width, rest), params: all(params) };
  }
  return { ...piece, params: all(params) };
}

/** Throws where something but normalisations reads what the blocks write, or what is written cannot be wider. */
function requireStream({ structure }: TrainedNetwork, pieces: readonly Piece[]): void {
  const names = pieces.map(({ layer }) => layer.name);
  const [first, last] = [names.indexOf("transformer"), names.lastIndexOf("transformer")];
  const writers = names.slice(0, first).filter((name) => name !== "patches");
  const known =
    ["dense", "embedding"].includes(writers[0] ?? "") &&
    writers.slice(1).every((name) => ["classToken", "positions"].includes(name)) &&
    names[last + 1] === "layerNorm" &&
    names.slice(last + 2).every((name) => ["first", "last", "globalPool"].includes(name)) &&
    names.slice(first, last).every((name) => name === "transformer") &&
    structure.head.spec.name === "linear";
  const odd = pieces.find(({ layer }) => {
    const { norm, kind } = layer.options as { readonly norm?: string; readonly kind?: string };
    return norm === "after" || kind === "sinusoidal";
  });
  if (!known || odd !== undefined)
    throw new TypeError(
      `expand.grow: for a wider stream a network like vit or gpt is required (embedded places, blocks that normalise before, a normalisation, a linear head), got ${odd?.layer.name ?? names.join(", ")} and a ${structure.head.spec.name} head`,
    );
}

/** Networks as layers in a row, each with its own tensors: what functions that move layers about work on. */
import { tf } from "../../engine/index.ts";
import { headed } from "../headed.ts";
import { tied } from "../heads/tied.ts";
import type { Layer } from "../layer.ts";
import { type TransformerOptions, transformer } from "../layers/attention/transformer.ts";
import type { Model, ModelParts, Params } from "../model.ts";
import { net } from "../net.ts";
import { type TrainedNetwork, trained } from "../trained.ts";

/** A layer with its tensors, which belong to the network it was in. */
export interface Piece {
  readonly layer: Layer;
  readonly params: Params;
  readonly statistics: Params;
}

/** The layers of a network, those of models that stand in the row as one layer written out. */
export function piecesOf(where: string, { model, weights, statistics, parts }: TrainedNetwork): Piece[] {
  if (model.adapters !== undefined)
    throw new TypeError(`${where}: a network without adapters is required, got one with; merge them first: merged(…)`);
  if (parts.predicting !== undefined)
    throw new TypeError(
      `${where}: a network that predicts by itself is required, got one for which ${parts.predicting.strategies.map(({ name }) => name).join(", ")} predicts`,
    );
  return within(where, model, weights.model, statistics);
}

function within(where: string, { stack, names, spec }: ModelParts, params: Params, statistics: Params): Piece[] {
  if (stack === undefined) throw new TypeError(`${where}: a network of layers in a row is required, got ${spec.name}`);
  return stack.flatMap((layer, i): Piece[] => {
    const own = { params: at(params, names![i]!), statistics: at(statistics, names![i]!) };
    const inner = layer.name === "through" ? layer.parts![0]!.model : undefined;
    // the names of its taps are its own, and would be everybody's if it were written out
    const apart = inner?.stack?.some(({ name }) => name === "tap") ?? true;
    return apart ? [{ layer, ...own }] : within(where, inner!, own.params, own.statistics);
  });
}

function at(tree: Params, name: string): Params {
  return (tree[name] ?? {}) as Params;
}

/** Another network of these layers. What it is given is copied. */
export function networkOf(
  { model, weights, parts }: TrainedNetwork,
  pieces: readonly Piece[],
  head: Params = weights.head,
): TrainedNetwork {
  const tree = (of: "params" | "statistics"): Params =>
    Object.fromEntries(
      pieces.flatMap((piece, i) =>
        Object.keys(piece[of]).length === 0 ? [] : [[`${i + 1}-${piece.layer.name}`, piece[of]]],
      ),
    );
  const { file: _, ...rest } = parts;
  return trained({
    ...rest,
    model: topped(net.of(pieces.map(({ layer }) => layer)) as unknown as Model, model.head),
    weights: { ...weights, model: tree("params"), head },
    statistics: tree("statistics"),
  });
}

/** The model with the head that another one had, which finds the tokens' vectors where they are now. */
function topped(model: Model, head: ModelParts["head"]): Model {
  if (head === undefined) return model;
  if (head.spec.name !== "tied") return headed(model, head);
  const at = model.stack!.findIndex(({ name }) => name === "embedding");
  return headed(model, tied({ path: `${model.names![at]}/tokens/kernel` }));
}

/** What a function gives, without the tensors that it made on the way. Networks keep theirs. */
export function tidied<X>(make: () => X): X {
  let made: X;
  tf.tidy(() => {
    made = make();
  });
  return made!;
}

/** Where the blocks of attention are among layers. */
export function blocksIn(where: string, pieces: readonly Piece[]): readonly number[] {
  const found = pieces.flatMap(({ layer }, i) => (layer.name === "transformer" ? [i] : []));
  if (found.length === 0)
    throw new TypeError(
      `${where}: a network with transformer blocks is required, got ${pieces.map(({ layer }) => layer.name).join(", ")}`,
    );
  return found;
}

/** What the products and normalisations of a block may be told, for functions that know each of its tensors. */
const plain = ["heads", "widen", "causal", "norm", "gelu", "epsilon", "dropout", "window", "keyWidth", "valueWidth"];

/** Throws unless the blocks are like those of `vit` and the original `gpt`: layer normalisation, one inner product, a key for each query. */
export function requirePlain(where: string, blocks: readonly Piece[]): void {
  for (const { layer } of blocks) {
    const odd = Object.entries(layer.options as object).find(
      ([name, value]) => !plain.includes(name) && !(name === "bias" && value !== "none"),
    );
    if (odd !== undefined)
      throw new TypeError(
        `${where}: blocks with layer normalisation, a plain inner layer and a key for each query are required, got ${odd[0]}: ${JSON.stringify(odd[1])}`,
      );
  }
}

/** What the options of a block come to for a width. */
export interface BlockSizes {
  readonly heads: number;
  readonly keys: number;
  readonly values: number;
  readonly inner: number;
  readonly width: number;
}

/** The sizes of a block, read from its tensors. */
export function sizesOf({ layer, params }: Piece): BlockSizes {
  const { heads } = layer.options as { readonly heads: number };
  const shape = (part: string): number[] => ((params[part] as Params).kernel as tf.Tensor).shape;
  return {
    heads,
    keys: shape("query")[1]! / heads,
    values: shape("value")[1]! / heads,
    inner: shape("up")[1]!,
    width: shape("up")[0]!,
  };
}

/** A block like another one, of other sizes. */
export function resized({ layer }: Piece, sizes: BlockSizes, epsilon?: number): Layer {
  const {
    heads: _,
    keyWidth: __,
    valueWidth: ___,
    ...rest
  } = layer.options as unknown as { readonly heads: number } & TransformerOptions;
  const { heads, keys, values, inner, width } = sizes;
  const even = (count: number): boolean => count * heads === width;
  return transformer(heads, {
    ...rest,
    widen: inner / width,
    ...(even(keys) ? {} : { keyWidth: keys }),
    ...(even(values) ? {} : { valueWidth: values }),
    ...(epsilon !== undefined && { epsilon }),
  });
}

/** The epsilon of a block or of a normalisation. */
export function epsilonOf({ layer }: Piece): number {
  return (layer.options as { readonly epsilon?: number }).epsilon ?? 1e-5;
}

/** A tensor among others of zeros. */
export function padded(tensor: tf.Tensor, shape: readonly number[]): tf.Tensor {
  return tf.pad(
    tensor,
    shape.map((size, axis) => [0, size - tensor.shape[axis]!]),
  );
}

/** A tensor in the first corner of a larger one. */
export function placed(tensor: tf.Tensor, among: tf.Tensor): tf.Tensor {
  if (String(tensor.shape) === String(among.shape)) return tensor;
  const own = padded(tf.onesLike(tensor), among.shape);
  return tf.add(padded(tensor, among.shape), tf.mul(among, tf.sub(1, own)));
}

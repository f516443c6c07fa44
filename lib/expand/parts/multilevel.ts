/** Transformers of half or twice the width: what becomes of each kernel when what it writes and what it reads is merged or doubled. */
import { tf } from "../../engine/index.ts";
import { embedding } from "../../models/layers/attention/embedding.ts";
import { dense } from "../../models/layers/basic/dense.ts";
import type { Params } from "../../models/model.ts";
import { epsilonOf, type Piece, requirePlain, resized, sizesOf } from "../../models/parts/pieces.ts";
import type { TrainedNetwork } from "../../models/trained.ts";

/** What becomes of an axis that is written, and of one that is read. */
export interface Change {
  /** Of the width. */
  readonly factor: number;
  readonly columns: (tensor: tf.Tensor, axis: number) => tf.Tensor;
  readonly rows: (tensor: tf.Tensor, axis: number) => tf.Tensor;
}

/** The layers and the head of a network like `vit` or `gpt` with another width. Throws for another network. */
export function mapped(
  where: string,
  { structure, weights }: TrainedNetwork,
  pieces: readonly Piece[],
  change: Change,
): { pieces: Piece[]; head: Params } {
  const names = pieces.map(({ layer }) => layer.name);
  const known = ["patches", "dense", "embedding", "classToken", "positions", "transformer", "layerNorm"];
  const last = names.lastIndexOf("transformer");
  const odd =
    names.slice(0, last + 2).find((name) => !known.includes(name)) ??
    names.slice(last + 2).find((name) => !["first", "last", "globalPool"].includes(name));
  const fixed = pieces.some(({ layer }) => (layer.options as { readonly kind?: string }).kind === "sinusoidal");
  if (last < 0 || odd !== undefined || fixed || structure.head.spec.name !== "linear")
    throw new TypeError(
      `${where}: a network like vit or gpt with trained positions and a linear head is required, got ${odd ?? (fixed ? "sinusoidal positions" : structure.head.spec.name)}`,
    );
  requirePlain(
    where,
    pieces.filter(({ layer }) => layer.name === "transformer"),
  );
  const size = (count: number): number => {
    const next = count * change.factor;
    if (Number.isInteger(next)) return next;
    throw new RangeError(`${where}: even widths, heads and inner layers are required, got ${count}`);
  };
  const { kernel, bias } = weights.head as { readonly kernel: tf.Tensor; readonly bias?: tf.Tensor };
  return {
    pieces: pieces.map((piece) => changed(piece, change, size)),
    head: { kernel: change.rows(kernel, 0), ...(bias !== undefined && { bias }) },
  };
}

function changed(piece: Piece, { columns, rows }: Change, size: (count: number) => number): Piece {
  const { layer, params } = piece;
  const written = (tree: Params): Params =>
    Object.fromEntries(
      Object.entries(tree).map(([name, node]) => [
        name,
        node instanceof tf.Tensor ? columns(node, node.rank - 1) : written(node),
      ]),
    );
  const options = layer.options as { readonly tokens: number; readonly units: number };
  if (layer.name === "dense") {
    const { units, ...rest } = options;
    return { ...piece, layer: dense(size(units), rest as object), params: written(params) };
  }
  if (layer.name === "embedding") {
    const { tokens, units, ...rest } = options;
    return { ...piece, layer: embedding(tokens, size(units), rest), params: written(params) };
  }
  if (layer.name !== "transformer") return { ...piece, params: written(params) };
  const own = sizesOf(piece);
  const next = { ...own, heads: size(own.heads), inner: size(own.inner), width: size(own.width) };
  const read = (tree: Params): Params => {
    const { kernel, ...rest } = written(tree) as { readonly kernel: tf.Tensor };
    return { ...rest, kernel: rows(kernel, 0) };
  };
  const both = Object.entries(params).map(([name, tree]) => [
    name,
    name === "before" || name === "between" ? written(tree as Params) : read(tree as Params),
  ]);
  return { ...piece, layer: resized(piece, next, epsilonOf(piece)), params: Object.fromEntries(both) };
}

/** A block of a transformer as two steps: its attention, and other layers in the place of its dense ones. */
import type { tf } from "../../engine/index.ts";
import type { Layer } from "../../models/layer.ts";
import { attention } from "../../models/layers/attention/attention.ts";
import type { TransformerOptions } from "../../models/layers/attention/transformer.ts";
import { layerNorm } from "../../models/layers/norm/layer-norm.ts";
import type { Params } from "../../models/model.ts";
import type { ExpertForm } from "../../models/parts/experts.ts";
import { beside } from "../../models/parts/named.ts";
import { epsilonOf, type Piece, requirePlain } from "../../models/parts/pieces.ts";

/** The two products of a block's dense layers, and what is between them. */
export interface DenseHalf {
  readonly up: { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  readonly down: { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
  readonly form: ExpertForm;
}

/** The dense layers of a block. Throws unless it normalises before and has plain ones. */
export function denseOf(where: string, piece: Piece): DenseHalf {
  requirePlain(where, [piece]);
  const { norm, gelu = "tanh" } = piece.layer.options as TransformerOptions;
  if (norm === "after") throw new TypeError(`${where}: blocks that normalise before are required, got norm: "after"`);
  const { up, down } = piece.params as unknown as Pick<DenseHalf, "up" | "down">;
  return { up, down, form: gelu === "tanh" ? "gelu-tanh" : "gelu" };
}

/** The attention of a block, what passes by added to it, and then a layer, the same. */
export function halves(piece: Piece, layer: Layer, params: Params, statistics: Params = {}): readonly [Piece, Piece] {
  const {
    heads,
    widen: _,
    norm: __,
    gelu: ___,
    epsilon: ____,
    ...attends
  } = piece.layer.options as unknown as { readonly heads: number } & TransformerOptions;
  const { before, between, query, key, value, out } = piece.params as Record<string, Params>;
  const normal = layerNorm({ epsilon: epsilonOf(piece) });
  return [
    {
      layer: beside([normal, attention(heads, attends as object)]),
      params: { "1-layerNorm": before!, "2-attention": { query: query!, key: key!, value: value!, out: out! } },
      statistics: {},
    },
    {
      layer: beside([normal, layer]),
      params: { "1-layerNorm": between!, [`2-${layer.name}`]: params },
      statistics: Object.keys(statistics).length === 0 ? {} : { [`2-${layer.name}`]: statistics },
    },
  ];
}

/** Some units of two products: an expert that has them. What it adds itself is a share of the second bias. */
export function unitsOf(
  { up, down }: DenseHalf,
  pick: (tensor: tf.Tensor, axis: number) => tf.Tensor,
  added: tf.Tensor,
): Params {
  return {
    up: { kernel: pick(up.kernel, 1), bias: pick(up.bias, 0) },
    down: { kernel: pick(down.kernel, 0), bias: added },
  };
}

/** Convolutions and dense layers of a row: found by name, with other units, or made to give what they get. */
import { tf } from "../../engine/index.ts";
import type { Layer } from "../../models/layer.ts";
import { dense } from "../../models/layers/basic/dense.ts";
import { conv } from "../../models/layers/conv/conv.ts";
import type { Piece } from "../../models/parts/pieces.ts";

/** A layer with its tensors. */
export type Way = Pick<Piece, "layer" | "params">;

/** Where a layer of some kinds stands among others. Throws where there is none of that name, or it is of another kind. */
export function placeOf(
  where: string,
  pieces: readonly Piece[],
  layer: string,
  kinds: readonly string[] = ["conv", "dense"],
): number {
  const names = pieces.map((piece, i) => `${i + 1}-${piece.layer.name}`);
  const at = names.indexOf(layer);
  if (at < 0) throw new RangeError(`${where}: one of the layers ${names.join(", ")} is required, got "${layer}"`);
  const { name } = pieces[at]!.layer;
  const words: Record<string, string> = { conv: "a convolution", dense: "a dense layer" };
  if (!kinds.includes(name))
    throw new TypeError(`${where}: ${kinds.map((kind) => words[kind] ?? kind).join(" or ")} is required, got ${name}`);
  return at;
}

/** The same kind of layer with other units. Throws for convolutions of several groups. */
export function withUnits(where: string, { layer }: Way, units: number): Layer {
  const {
    filters,
    units: _,
    window,
    ...rest
  } = layer.options as unknown as {
    readonly filters?: number;
    readonly units?: number;
    readonly window: number;
    readonly groups?: number;
  };
  if ((rest.groups ?? 1) > 1)
    throw new TypeError(`${where}: convolutions of one group are required, got one of ${rest.groups}`);
  return filters === undefined ? dense(units, rest as object) : conv(units, window, rest);
}

/** A layer behind another one that gives what it gets. */
export function same({ params }: Way): Way {
  const { kernel } = params as { readonly kernel: tf.Tensor };
  const units = kernel.shape.at(-1)!;
  const bias = tf.zeros([units]);
  if (kernel.rank === 2) return { layer: dense(units), params: { kernel: tf.eye(units), bias } };
  const centre = tf.pad(tf.reshape(tf.eye(units), [1, 1, units, units]), [
    [1, 1],
    [1, 1],
    [0, 0],
    [0, 0],
  ]);
  return { layer: conv(units, 3), params: { kernel: centre, bias } };
}

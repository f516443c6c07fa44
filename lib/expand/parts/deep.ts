/** Layers in a row changed wherever they stand: in the network, and in models inside of its layers. */
import type { LayerFactory } from "../../models/layer.ts";
import * as layers from "../../models/layers/index.ts";
import type { ModelParts, Params } from "../../models/model.ts";
import { inRow } from "../../models/parts/named.ts";
import type { Piece } from "../../models/parts/pieces.ts";

/** What a function makes of every row of layers, those inside of others first. */
export function everywhere(pieces: readonly Piece[], change: (row: readonly Piece[]) => readonly Piece[]): Piece[] {
  return [...change(pieces.map((piece) => within(piece, change)))];
}

function within(piece: Piece, change: (row: readonly Piece[]) => readonly Piece[]): Piece {
  const { layer, params, statistics } = piece;
  const make = (layers as unknown as Record<string, LayerFactory<unknown[], never, never, boolean> | undefined>)[
    layer.name
  ];
  const parts = layer.parts ?? [];
  if (parts.length === 0 || make?.again === undefined || parts.some(({ model }) => model.stack === undefined))
    return piece;
  const [ownParams, ownStatistics] = [{ ...params }, { ...statistics }] as [
    Record<string, Params>,
    Record<string, Params>,
  ];
  const models = parts.map(({ name, model }): ModelParts => {
    const of = (tree: Params): Params => (name === "" ? tree : ((tree[name] ?? {}) as Params));
    const row = model.stack!.map(
      (inner, i): Piece => ({
        layer: inner,
        params: (of(params)[model.names![i]!] ?? {}) as Params,
        statistics: (of(statistics)[model.names![i]!] ?? {}) as Params,
      }),
    );
    const next = everywhere(row, change);
    for (const [tree, key] of [
      [ownParams, "params"],
      [ownStatistics, "statistics"],
    ] as const) {
      const made: Record<string, Params> = Object.fromEntries(
        next.flatMap((each, i) =>
          Object.keys(each[key]).length === 0 ? [] : [[`${i + 1}-${each.layer.name}`, each[key]]],
        ),
      );
      if (name !== "") Object.keys(made).length > 0 ? (tree[name] = made) : delete tree[name];
      else {
        for (const old of model.names!) delete tree[old];
        Object.assign(tree, made);
      }
    }
    return inRow(next.map(({ layer }) => layer));
  });
  return { layer: make.again(layer.options, models), params: ownParams, statistics: ownStatistics };
}

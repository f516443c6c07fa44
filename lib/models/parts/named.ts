/** Layers of a backbone under names of their own: "stem", "stage1-block2", "norm". */
import type { Json, Kind } from "../../data/dataset.ts";
import type { Layer } from "../layer.ts";
import { residual } from "../layers/graph/residual.ts";
import { through } from "../layers/graph/through.ts";
import type { Model } from "../model.ts";
import { sequential } from "../sequential.ts";

/** A part of a backbone: a layer, whose tensors lie at its name, or several in a row, whose tensors lie at `name/1-conv` and so on. */
export type NamedPart = readonly [name: string, layers: Layer | readonly Layer[]];

/** Layers in a row as a model within another. */
export const inRow = (layers: readonly Layer[]): Model => sequential("net", undefined, layers);

/** The sum of what layers make of their input and of the input, or of what others make of it. */
export const beside = (body: readonly Layer[], skip?: readonly Layer[]): Layer =>
  skip === undefined
    ? (residual as unknown as (inner: Model) => Layer)(inRow(body))
    : residual(inRow(body), { skip: inRow(skip) });

/** A model of parts in a row, each of whose tensors lie under its name. */
export function named<K extends Kind>(name: string, options: Json, parts: readonly NamedPart[]): Model<K> {
  const stack = parts.map(([, layers]) => ("apply" in layers ? layers : through(inRow(layers))));
  return sequential<K>(
    name,
    options,
    stack,
    parts.map(([own]) => own),
  );
}

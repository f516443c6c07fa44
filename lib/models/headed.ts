/** A model that brings its own head. */
import type { Kind } from "../data/dataset.ts";
import type { HeadLayer } from "./heads/linear.ts";
import type { Model, ModelParts } from "./model.ts";
import { makeModel } from "./verbs.ts";

/**
 * The same model with a head of its own, in place of the linear one that a stream's scenario puts on it.
 *
 * @example
 * ```ts
 * import { headed, mlp, normalized } from "thalweg";
 * headed(mlp({ hidden: [64] }), normalized({ length: 1 / Math.sqrt(10) }));
 * ```
 */
export function headed<K extends Kind>(model: ModelParts<K>, head: HeadLayer): Model<K> {
  const spec = { ...model.spec, head: head.spec };
  const { start: _, ...rest } = model;
  return makeModel({ ...rest, spec, head, toJSON: () => spec });
}

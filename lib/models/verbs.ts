/** The verbs that every model has, as methods and as functions. */
import type { Kind } from "../data/dataset.ts";
import { type Filter, filterJson } from "./filter.ts";
import type { FreezeOptions, Model, ModelChange, ModelParts } from "./model.ts";
import { stillAt } from "./parts/still.ts";

/**
 * A model from its parts, with the verbs that every model has: what a backbone that is not a row of layers ends with.
 *
 * @example
 * ```ts
 * import { makeModel, mlp } from "thalweg";
 * const doubled = makeModel({ ...mlp({ hidden: [4] }), spec: { name: "mine" }, toJSON: () => ({ name: "mine" }) });
 * doubled.freeze("2-dense").spec.name; // "mine"
 * ```
 */
export function makeModel<K extends Kind>(parts: ModelParts<K>): Model<K> {
  return Object.freeze(Object.assign(Object.create(modelVerbs), parts));
}

/**
 * The same model in which the parameters that a filter selects are not trained: no gradient of theirs is computed, they have no optimizer
 * state, and they stay bit for bit whatever optimizer, weight decay or strategy there is. Of several words on the same parameter the last counts.
 *
 * The head is trained unless the filter names it: `freeze("head")`. What strategies train beside the network is trained too.
 *
 * @throws TypeError for a filter that cannot stand in the record of a study; RangeError, when a study is made, for one that selects nothing.
 *
 * @example
 * ```ts
 * import { freeze, resnet18 } from "thalweg";
 * freeze(resnet18(), ["stem", "stage1*"]).toJSON().changes; // [{ freeze: ["stem", "stage1*"] }]
 * ```
 */
export function freeze<K extends Kind>(
  model: ModelParts<K>,
  filter: Filter,
  { still = false }: FreezeOptions = {},
): Model<K> {
  const next = changed(model, { freeze: filterJson("freeze", filter), ...(still && { still }) });
  return makeModel(still ? stillAt(next, filter) : next);
}

/**
 * The same model in which only the parameters that a filter selects are trained, and the head: `freeze` for all the others.
 *
 * @example
 * ```ts
 * import { mlp, trainOnly } from "thalweg";
 * trainOnly(mlp(), { kind: "bias" }).toJSON().changes; // [{ trainOnly: { kind: "bias" } }]
 * ```
 */
export function trainOnly<K extends Kind>(model: ModelParts<K>, filter: Filter): Model<K> {
  return makeModel(changed(model, { trainOnly: filterJson("trainOnly", filter) }));
}

/** A model with the changes that a record has of it. */
export function withChanges(model: Model, changes: readonly ModelChange[]): Model {
  return changes.reduce<Model>(
    (now, change) =>
      "freeze" in change
        ? freeze(now, change.freeze as Filter, { still: change.still ?? false })
        : trainOnly(now, change.trainOnly as Filter),
    model,
  );
}

/** The methods, for models that have others too. */
export const modelVerbs = {
  freeze(this: ModelParts, filter: Filter, options?: FreezeOptions): Model {
    return freeze(this, filter, options);
  },
  trainOnly(this: ModelParts, filter: Filter): Model {
    return trainOnly(this, filter);
  },
};

/** The parts of a model with one more word on what is trained, also in what it shows. */
function changed<K extends Kind>(model: ModelParts<K>, change: ModelChange): ModelParts<K> {
  const spec = { ...model.spec, changes: [...(model.spec.changes ?? []), change] };
  const [[verb, filter]] = Object.entries(change) as [[string, unknown]];
  const custom = Symbol.for("nodejs.util.inspect.custom");
  const shown = (model as unknown as { readonly [custom]?: () => string })[custom]?.() ?? model.spec.name;
  const text = `${shown}; ${verb} ${typeof filter === "string" ? filter : JSON.stringify(filter)}`;
  return {
    ...model,
    spec,
    toJSON: () => spec,
    [Symbol.for("Jupyter.display")]: () => ({ "text/plain": text }),
    [custom]: () => text,
  } as ModelParts<K>;
}

/** The verbs that every model has, as methods and as functions. */
import type { Kind } from "../data/dataset.ts";
import type { Adapter, AdapterSpec } from "./adapters/adapter.ts";
import * as adapters from "./adapters/index.ts";
import { diagram } from "./diagram.ts";
import { type Filter, filterJson } from "./filter.ts";
import type { FreezeOptions, Model, ModelChange, ModelParts } from "./model.ts";
import { adapterName } from "./parameters.ts";
import { adapted } from "./parts/adapted.ts";
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

/**
 * The same model with an adapter on the layers that it selects. The model begins to answer as its adapter begins, most as if it were not
 * there; its tensors lie under the layer's, `2-dense/adapters/lora/down`, and their kind is "adapter". Several can be put one on another.
 *
 * The model's own parameters are frozen, unless the adapter has `train: "all"`; the head is trained.
 *
 * @throws RangeError, when a study is made, where the adapter is on no layer.
 *
 * @example
 * ```ts
 * import { adapt, lora, mlp, parameters } from "thalweg";
 * const model = adapt(mlp({ hidden: [4] }), lora({ rank: 1 }));
 * parameters(model, [3]).map(({ path, shape }) => `${path} [${shape}]`).slice(2);
 * // ["2-dense/adapters/lora/down [3,1]", "2-dense/adapters/lora/up [1,4]"]
 * ```
 */
export function adapt<K extends Kind>(model: ModelParts<K>, adapter: Adapter): Model<K> {
  const had = (model.spec.changes ?? []).filter(
    (change) => "adapt" in change && change.adapt.name === adapter.spec.name,
  );
  const name = adapterName(adapter.spec.name, had.length + 1);
  return makeModel(changed(adapted(model, adapter, name), { adapt: adapter.toJSON() }));
}

/** A model with the changes that a record has of it. */
export function withChanges(model: Model, changes: readonly ModelChange[]): Model {
  return changes.reduce<Model>((now, change) => {
    if ("adapt" in change) return adapt(now, adapterFromJson(change.adapt));
    return "freeze" in change
      ? freeze(now, change.freeze as Filter, { still: change.still ?? false })
      : trainOnly(now, change.trainOnly as Filter);
  }, model);
}

function adapterFromJson(spec: AdapterSpec): Adapter {
  const make = (adapters as unknown as { readonly [name: string]: ((options: object) => Adapter) | undefined })[
    spec.name
  ];
  const made = typeof make === "function" && "adapter" in make ? make(spec.options) : undefined;
  // a record from before an option was there has all others
  const { name, options } = made?.toJSON() ?? {};
  const again = made && { name, options: { ...options, ...spec.options } };
  if (made !== undefined && JSON.stringify(again) === JSON.stringify({ name, options })) return made;
  throw new TypeError(
    `specFromJson: an adapter of the library is required, got "${spec.name}"; an adapter of your own cannot be made of its name`,
  );
}

const display: unique symbol = Symbol.for("Jupyter.display") as never;

/** The methods, for models that have others too. */
export const modelVerbs = {
  /** Its picture. */
  [display](this: ModelParts): object {
    return (diagram(this) as unknown as { [display](): object })[display]();
  },
  freeze(this: ModelParts, filter: Filter, options?: FreezeOptions): Model {
    return freeze(this, filter, options);
  },
  trainOnly(this: ModelParts, filter: Filter): Model {
    return trainOnly(this, filter);
  },
  adapt(this: ModelParts, adapter: Adapter): Model {
    return adapt(this, adapter);
  },
};

/** The parts of a model with one more word on what is trained, also in what it shows. */
function changed<K extends Kind>(model: ModelParts<K>, change: ModelChange): ModelParts<K> {
  const spec = { ...model.spec, changes: [...(model.spec.changes ?? []), change] };
  const [[verb, of]] = Object.entries(change) as [[string, unknown]];
  const filter = "adapt" in change ? change.adapt.name : of;
  const custom = Symbol.for("nodejs.util.inspect.custom");
  const shown = (model as unknown as { readonly [custom]?: () => string })[custom]?.() ?? model.spec.name;
  const text = `${shown}; ${verb} ${typeof filter === "string" ? filter : JSON.stringify(filter)}`;
  return {
    ...model,
    spec,
    toJSON: () => spec,
    [custom]: () => text,
  } as ModelParts<K>;
}

/** Which parameters of a network are not trained. */
import type { Shape } from "../data/dataset.ts";
import { type Filter, selected, selects } from "./filter.ts";
import type { ModelParts } from "./model.ts";
import { adapterName, adaptersNode, type Parameter, parameters } from "./parameters.ts";

/** Paths in the model's tree, and filters over the head's. */
export interface FrozenParameters {
  readonly model: readonly string[];
  readonly head: readonly Filter[];
}

/**
 * The paths of a model's parameters that are not trained, in its own tree, and whether the head is; by its `freeze` and `trainOnly`, in order.
 *
 * @throws RangeError when a filter selects nothing.
 *
 * @example
 * ```ts
 * import { frozenParameters, mlp } from "thalweg";
 * frozenParameters(mlp({ hidden: [4] }).freeze("*kernel"), [2]); // { model: ["2-dense/kernel"], head: [] }
 * ```
 */
export function frozenParameters(model: ModelParts, input: Shape): FrozenParameters {
  if (!isChanged(model)) return { model: [], head: [] };
  const all = parameters(model, input);
  const { frozen, head } = frozenAmong(model, all);
  return { model: all.filter(({ path }) => frozen.has(path)).map(({ path }) => path), head };
}

/** Whether a model, or one inside of it, says what of it is trained. */
function isChanged({ spec, stack }: ModelParts): boolean {
  const within = stack?.some(({ parts }) => parts?.some(({ model }) => isChanged(model)) ?? false) ?? false;
  return within || (spec.changes ?? []).length > 0;
}

/** The frozen ones among a model's parameters, first by what the models inside of it say, then by its own words. */
function frozenAmong(model: ModelParts, all: readonly Parameter[]): { readonly frozen: Set<string>; head: Filter[] } {
  const frozen = new Set(frozenInside(model, all));
  const head: Filter[] = [];
  const count = new Map<string, number>();
  for (const change of model.spec.changes ?? []) {
    if ("adapt" in change) {
      const { name, options } = change.adapt;
      const times = (count.get(name) ?? 0) + 1;
      count.set(name, times);
      const own = `/${adaptersNode}/${adapterName(name, times)}/`;
      for (const { path } of all) {
        if (`/${path}`.includes(own)) frozen.delete(path);
        else if (options.train === "adapter" && !`/${path}`.includes(`/${adaptersNode}/`)) frozen.add(path);
      }
    } else if ("trainOnly" in change) {
      const chosen = new Set(selected("trainOnly", change.trainOnly as Filter, all));
      for (const one of all) chosen.has(one) ? frozen.delete(one.path) : frozen.add(one.path);
    } else {
      const [ofHead, rest] = parted(change.freeze as Filter);
      head.push(...ofHead);
      if (rest.length > 0 || ofHead.length === 0)
        for (const { path } of selected("freeze", rest, all)) frozen.add(path);
    }
  }
  for (const { name, adapter } of model.adapters ?? [])
    for (const fixed of adapter.fixed ?? [])
      for (const { path } of all) if (`/${path}`.endsWith(`/${adaptersNode}/${name}/${fixed}`)) frozen.add(path);
  return { frozen, head };
}

/** What the models inside of a model's layers say of their own parameters. */
function frozenInside({ stack = [], names = [] }: ModelParts, all: readonly Parameter[]): string[] {
  return stack.flatMap(({ name, parts = [] }, i) =>
    parts.flatMap((part) => {
      if (!isChanged(part.model)) return [];
      const prefix = `${names[i] ?? `${i + 1}-${name}`}/${part.name === "" ? "" : `${part.name}/`}`;
      const others = part.name === "" ? parts.filter((other) => other.name !== "").map((other) => other.name) : [];
      const own = all
        .filter(({ path }) => path.startsWith(prefix))
        .map((one) => ({ ...one, path: one.path.slice(prefix.length) }))
        .filter(({ path }) => !others.includes(path.split("/")[0]!));
      return [...frozenAmong(part.model, own).frozen].map((path) => prefix + path);
    }),
  );
}

/** The texts of a filter that name the head, and the others. */
function parted(filter: Filter): [head: Filter[], rest: Filter[]] {
  const all = (Array.isArray(filter) ? filter : [filter]) as readonly Filter[];
  const named = (one: Filter): boolean => typeof one === "string" && /^head(\/|$)/.test(one);
  return [all.filter(named), all.filter((one) => !named(one))];
}

/**
 * Whether the tensor at a path of a network's weights (`model/…`, `head/…`) is not trained; null where all are.
 *
 * @throws RangeError when a filter selects nothing, or when nothing is left to train.
 */
export function frozenAt(model: ModelParts, input: Shape): ((path: string) => boolean) | null {
  if (!isChanged(model)) return null;
  const frozen = frozenParameters(model, input);
  const own = new Set(frozen.model.map((path) => `model/${path}`));
  const { head } = frozen;
  return (path) => own.has(path) || (path.startsWith("head/") && selects(head, { path, kind: "weight", shape: [] }));
}

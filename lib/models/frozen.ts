/** Which parameters of a network are not trained. */
import type { Shape } from "../data/dataset.ts";
import { type Filter, selected, selects } from "./filter.ts";
import type { ModelParts } from "./model.ts";
import { type Parameter, parameters } from "./parameters.ts";

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
  const changes = model.spec.changes ?? [];
  if (changes.length === 0) return { model: [], head: [] };
  const all = parameters(model, input);
  const frozen = new Map<Parameter, boolean>();
  const head: Filter[] = [];
  for (const change of changes) {
    if ("trainOnly" in change) {
      const filter = change.trainOnly as Filter;
      const chosen = new Set(selected("trainOnly", filter, all));
      for (const one of all) frozen.set(one, !chosen.has(one));
    } else {
      const [ofHead, rest] = parted(change.freeze as Filter);
      head.push(...ofHead);
      if (rest.length > 0 || ofHead.length === 0)
        for (const one of selected("freeze", rest, all)) frozen.set(one, true);
    }
  }
  return { model: all.filter((one) => frozen.get(one)).map(({ path }) => path), head };
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
  if ((model.spec.changes ?? []).length === 0) return null;
  const frozen = frozenParameters(model, input);
  const own = new Set(frozen.model.map((path) => `model/${path}`));
  const { head } = frozen;
  return (path) => own.has(path) || (path.startsWith("head/") && selects(head, { path, kind: "weight", shape: [] }));
}

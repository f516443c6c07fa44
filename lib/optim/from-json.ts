/** Optimizers and transformations from their records. */
import type { Json } from "../data/dataset.ts";
import type { Filter } from "../models/filter.ts";
import { chain, type Link } from "./chain.ts";
import { groups } from "./groups.ts";
import { only } from "./only.ts";
import type { Optimizer, OptimSpec } from "./optimizer.ts";
import * as optimizers from "./optimizers/index.ts";
import type { Transformation } from "./transformation.ts";
import * as transformations from "./transformations/index.ts";
import * as wrappers from "./wrappers/index.ts";

type Record = { readonly [option: string]: Json };
type Maker = (options: Json) => Link;

/**
 * The optimizer that a record describes.
 *
 * @throws TypeError for one that is not the library's own.
 *
 * @example
 * ```ts
 * import { adam, chain, clip, optimizerFromJson } from "thalweg";
 * optimizerFromJson(chain(clip(1), adam()).toJSON()).rate; // 0.001
 * ```
 */
export function optimizerFromJson(spec: OptimSpec): Optimizer {
  const options = spec.options as Record;
  const parts = (options.parts ?? []) as unknown as readonly OptimSpec[];
  if (spec.name === "chain") return same(spec, chain(...parts.map(linkFromJson)));
  if (spec.name === "groups") {
    const lists = options.groups as unknown as readonly (readonly [Filter, OptimSpec])[];
    const rest = options.rest as unknown as OptimSpec | null;
    const own = lists.map(([filter, each]) => [filter, optimizerFromJson(each)] as const);
    return same(spec, groups(...own, ...(rest === null ? [] : [optimizerFromJson(rest)])));
  }
  const wrap = (wrappers as unknown as { readonly [name: string]: (inner: Optimizer, options: Json) => Optimizer })[
    spec.name
  ];
  if (wrap !== undefined) {
    const { optimizer, ...rest } = options;
    return same(spec, wrap(optimizerFromJson(optimizer as unknown as OptimSpec), rest));
  }
  return same(spec, made(optimizers, spec) as Optimizer);
}

function linkFromJson(spec: OptimSpec): Link {
  if (spec.name === "only") {
    const { on, part } = spec.options as { readonly on: Json; readonly part: Json };
    return same(spec, only(on as Filter, linkFromJson(part as unknown as OptimSpec) as Transformation));
  }
  return spec.name in transformations ? same(spec, made(transformations, spec)) : optimizerFromJson(spec);
}

function made(from: object, spec: OptimSpec): Link {
  const make = (from as { readonly [name: string]: Maker | undefined })[spec.name];
  if (typeof make === "function") return make(spec.options);
  return notOurs(spec.name);
}

/** What was made, if its record is the one it was made from. */
function same<L extends Link>(spec: OptimSpec, link: L): L {
  return JSON.stringify(link.toJSON()) === JSON.stringify(spec) ? link : notOurs(spec.name);
}

function notOurs(name: string): never {
  throw new TypeError(
    `specFromJson: an optimizer of the library is required, got "${name}"; an optimizer of your own cannot be made of its name`,
  );
}

/** Transformations of some of the parameters. */
import type { Json } from "../data/dataset.ts";
import type { Tree } from "../engine/index.ts";
import { type Filter, filterJson, selected } from "../models/filter.ts";
import { parametersOf } from "../models/parameters.ts";
import type { KindOf } from "./optimizer.ts";
import { type Flat, seenOf, subset, withSubset } from "./parts/subset.ts";
import type { Transformation } from "./transformation.ts";

/**
 * A transformation of the parameters that a filter selects; the others' directions pass as they are.
 *
 * @throws RangeError, when a run begins, for a filter that selects nothing that is trained.
 *
 * @example
 * ```ts
 * import { only, scale } from "thalweg";
 * only("stem", scale(0.1)).spec.options; // { on: "stem", part: { name: "scale", options: { by: 0.1 } } }
 * ```
 */
export function only(filter: Filter, part: Transformation): Transformation {
  const spec = { name: "only", options: { on: filterJson("only", filter), part: part.toJSON() as unknown as Json } };
  const made = (inner: Transformation, kindOf?: KindOf): Transformation => {
    const kept = (params: Tree): ((path: string) => boolean) => {
      const chosen = new Set(selected("only", filter, parametersOf(params, kindOf)).map(({ path }) => path));
      return (path) => chosen.has(path);
    };
    return Object.freeze({
      spec,
      ...(inner.sees && { sees: inner.sees }),
      init: (params: Tree) => inner.init(subset(params, kept(params))),
      change(direction, state, params, seen) {
        const keep = kept(params);
        const own = seenOf(seen, params, keep);
        const [changed, next] = inner.change(subset(direction, keep), state, subset(params, keep), own);
        return [withSubset(direction, changed as Flat, (leaf) => leaf), next];
      },
      over: (next: KindOf) => made(inner.over?.(next) ?? inner, next),
      toJSON: () => spec,
    } satisfies Transformation);
  };
  return made(part);
}

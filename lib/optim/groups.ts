/** Optimizers of groups of parameters. */
import type { Json } from "../data/dataset.ts";
import { type Tree, tf } from "../engine/index.ts";
import { type Filter, filterJson, selected, selects } from "../models/filter.ts";
import { parametersOf } from "../models/parameters.ts";
import type { KindOf, Optimizer, OptimSpec } from "./optimizer.ts";
import { sightsOf } from "./parts/sights.ts";
import { seenOf, subset, withSubset } from "./parts/subset.ts";

/** Parameters and what moves them. */
export type ParameterGroup = readonly [on: Filter, optimizer: Optimizer];

/**
 * An optimizer for each group of parameters, with its own rate and decay: `[filter, optimizer]` for those that a filter selects and no group
 * before it, at last an optimizer for the rest. Without that the rest does not move.
 *
 * A schedule scales all rates alike.
 *
 * @throws RangeError, when a run begins, for a filter that selects nothing that is trained, or nothing that is left.
 *
 * @example
 * ```ts
 * import { adam, groups, sgd } from "thalweg";
 * groups(["1-conv", sgd({ lr: 0.001 })], [{ kind: "norm" }, adam({ lr: 0.01 })], adam({ weightDecay: 0.1 })).rate; // 0.001
 * ```
 */
export function groups(...parts: readonly (ParameterGroup | Optimizer)[]): Optimizer {
  const isGroup = (part: ParameterGroup | Optimizer): part is ParameterGroup => Array.isArray(part);
  const own = parts.filter(isGroup);
  const [rest, ...more] = parts.filter((part): part is Optimizer => !isGroup(part));
  if (parts.length === 0 || more.length > 0 || (rest !== undefined && parts.at(-1) !== rest))
    throw new TypeError(
      `groups: lists [filter, optimizer] are required and at last one optimizer for the rest, got ${parts.length} parts, ${own.length} of them lists`,
    );
  const json = (optimizer: Optimizer): Json => optimizer.toJSON() as unknown as Json;
  const spec: OptimSpec = {
    name: "groups",
    options: {
      groups: own.map(([filter, optimizer]) => [filterJson("groups", filter), json(optimizer)]),
      rest: rest === undefined ? null : json(rest),
    },
  };
  const filters = own.map(([filter]) => filter);
  return over(spec, filters, [...own.map(([, optimizer]) => optimizer), ...(rest === undefined ? [] : [rest])]);
}

/** Groups by their filters and optimizers; one optimizer more than filters is that of the rest. */
function over(
  spec: OptimSpec,
  filters: readonly Filter[],
  optimizers: readonly Optimizer[],
  kindOf?: KindOf,
): Optimizer {
  const { rate } = optimizers.at(-1)!;
  /** The place of the optimizer of each parameter; -1 for none. */
  const placed = (params: Tree): ((path: string) => number) => {
    const all = parametersOf(params, kindOf);
    const rest = optimizers.length > filters.length ? filters.length : -1;
    const at = new Map(
      all.map((parameter) => {
        const found = filters.findIndex((filter) => selects(filter, parameter));
        return [parameter.path, found < 0 ? rest : found];
      }),
    );
    for (const [i, filter] of filters.entries())
      if (![...at.values()].includes(i)) {
        selected("groups", filter, all);
        throw new RangeError(
          `groups: a filter that selects what no group before it does is required, got group ${i + 1} of ${filters.length}; put it first`,
        );
      }
    return (path) => at.get(path)!;
  };
  return Object.freeze({
    spec,
    rate,
    ...sightsOf(optimizers),
    init(params: Tree): Tree {
      const at = placed(params);
      return optimizers.map((optimizer, i) => optimizer.init(subset(params, (path) => at(path) === i)));
    },
    update(grads, states, params, now, seen) {
      const at = placed(params);
      const moved = optimizers.map((optimizer, i) => {
        const keep = (path: string): boolean => at(path) === i;
        const [g, w] = [subset(grads, keep), subset(params, keep)];
        const own = optimizer.rate === rate ? now : tf.mul(now, optimizer.rate / rate);
        return optimizer.update(g, (states as Tree[])[i]!, w, own, seenOf(seen, params, keep));
      });
      const updates = Object.assign({}, ...moved.map(([updates]) => updates));
      return [withSubset(params, updates, (leaf) => tf.zerosLike(leaf)), moved.map(([, next]) => next)];
    },
    ...(optimizers.some(({ shown }) => shown !== undefined) && {
      shown(params: Tree, states: Tree): Tree {
        const at = placed(params);
        const all = optimizers.map((optimizer, i) => {
          const own = subset(params, (path) => at(path) === i);
          return optimizer.shown?.(own, (states as Tree[])[i]!) ?? own;
        });
        return withSubset(params, Object.assign({}, ...all), (leaf) => leaf);
      },
    }),
    over: (next: KindOf) =>
      over(
        spec,
        filters,
        optimizers.map((each) => each.over?.(next) ?? each),
        next,
      ),
    toJSON: () => spec,
  } satisfies Optimizer);
}

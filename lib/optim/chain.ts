/** Optimizers as chains of transformations. */
import type { Json } from "../data/dataset.ts";
import { mapTensors, type Tree, tf } from "../engine/index.ts";
import type { KindOf, Optimizer, OptimSpec } from "./optimizer.ts";
import { sightsOf } from "./parts/sights.ts";
import type { Transformation } from "./transformation.ts";

/** A part of a chain. */
export type Link = Transformation | Optimizer;

/**
 * An optimizer whose parts change the direction of a step one after the other, from the gradient on: transformations, and one optimizer among
 * them, whose rate is that of the chain. What the last part gives is taken with the rate away from the parameters.
 *
 * Without an optimizer the direction is what the transformations make of the gradient, at a rate of 1.
 *
 * @throws TypeError for a chain of nothing, of two optimizers, or with a part after one that cannot be followed.
 *
 * @example
 * ```ts
 * import { adam, chain, clip, trustRatio } from "thalweg";
 * chain(clip(1), adam({ lr: 0.01 }), trustRatio()).rate; // 0.01
 * ```
 */
export function chain(...parts: readonly Link[]): Optimizer {
  const own = parts.filter(isOptimizer);
  if (parts.length === 0 || own.length > 1)
    throw new TypeError(
      `chain: parts are required of which at most one is an optimizer, got ${parts.length === 0 ? "none" : own.map((each) => each.spec.name).join(" and ")}; groups of parameters with an optimizer each are groups(…)`,
    );
  const unfollowed = own.find((each) => each.last === true && parts.at(-1) !== each);
  if (unfollowed !== undefined)
    throw new TypeError(`chain: ${unfollowed.spec.name} as the last part is required, got others after it`);
  const spec = { name: "chain", options: { parts: parts.map((part) => part.toJSON()) as unknown as Json } };
  return linked(spec, parts);
}

/** Whether a part of a chain is an optimizer. */
export function isOptimizer(part: Link): part is Optimizer {
  return "update" in part;
}

function linked(spec: OptimSpec, parts: readonly Link[]): Optimizer {
  return Object.freeze({
    spec,
    rate: parts.find(isOptimizer)?.rate ?? 1,
    ...sightsOf(parts),
    ...(parts.some((part) => isOptimizer(part) && part.last) && { last: true as const }),
    init: (params: Tree) => parts.map((part) => part.init(params)),
    update(grads, states, params, rate, seen) {
      const next: Tree[] = [];
      let direction = grads;
      for (const [i, part] of parts.entries()) {
        const state = (states as Tree[])[i]!;
        if (!isOptimizer(part)) {
          const [changed, after] = part.change(direction, state, params, seen);
          [direction, next[i]] = [changed, after];
          continue;
        }
        // at the end it takes the rate itself: a chain that changes nothing before it gives its very numbers
        const atEnd = i === parts.length - 1;
        const [updates, after] = part.update(direction, state, params, atEnd ? rate : tf.scalar(1), seen);
        next[i] = after;
        if (atEnd) return [updates, next];
        direction = mapTensors((u) => tf.neg(u), updates);
      }
      const down = tf.neg(rate);
      return [mapTensors((u) => tf.mul(u, down), direction), next];
    },
    ...shownBy(parts),
    over: (kindOf: KindOf) =>
      linked(
        spec,
        parts.map((part): Link => part.over?.(kindOf) ?? part),
      ),
    toJSON: () => spec,
  } satisfies Optimizer);
}

/** What the optimizer among the parts shows, where it shows other parameters than those that are trained. */
function shownBy(parts: readonly Link[]): Pick<Optimizer, "shown"> {
  const at = parts.findIndex((part) => isOptimizer(part) && part.shown !== undefined);
  if (at < 0) return {};
  return { shown: (params, states) => (parts[at] as Optimizer).shown!(params, (states as Tree[])[at]!) };
}

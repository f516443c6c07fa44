/** Optimizers whose weights are averaged on the way: the average predicts. */
import type { Json } from "../../data/dataset.ts";
import { checked, type Options } from "../../data/options.ts";
import { cloneTree, mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { KindOf, Optimizer } from "../optimizer.ts";
import { sightsOf } from "./sights.ts";

/** The average after a step; `taken` counts the steps, this one included. */
type Average = (average: Tree, weights: Tree, taken: tf.Tensor) => Tree;
type State = { readonly average: Tree; readonly taken: tf.Tensor; readonly inner: Tree };

/** An optimizer around another one, which keeps an average of the weights. */
export function averaging<O extends Options>(
  name: string,
  inner: Optimizer,
  defaults: O,
  options: Partial<O>,
  build: (options: O) => Average,
): Optimizer {
  const all = checked(name, defaults, options);
  const next = build(all);
  if (inner.shown !== undefined)
    throw new TypeError(`${name}: an optimizer that does not average is required, got ${inner.spec.name}`);
  const spec = { name, options: { optimizer: inner.toJSON() as unknown as Json, ...all } as Json };
  const made = (optimizer: Optimizer): Optimizer =>
    Object.freeze({
      spec,
      rate: optimizer.rate,
      last: true as const,
      ...sightsOf([optimizer]),
      init: (params: Tree) => ({ average: cloneTree(params), taken: tf.scalar(0), inner: optimizer.init(params) }),
      update(grads, state, params, rate, seen) {
        const had = state as State;
        const [updates, after] = optimizer.update(grads, had.inner, params, rate, seen);
        const taken = tf.add(had.taken, 1);
        const weights = mapTensors((w, u) => tf.add(w, u!), params, updates);
        return [updates, { average: next(had.average, weights, taken), taken, inner: after }];
      },
      shown: (_params: Tree, state: Tree) => (state as State).average,
      over: (kindOf: KindOf) => made(optimizer.over?.(kindOf) ?? optimizer),
      toJSON: () => spec,
    } satisfies Optimizer);
  return made(inner);
}

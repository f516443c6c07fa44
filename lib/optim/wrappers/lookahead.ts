import type { Json } from "../../data/dataset.ts";
import { checked, needShare, needWhole } from "../../data/options.ts";
import { cloneTree, mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { KindOf, Optimizer } from "../optimizer.ts";
import { sightsOf } from "../parts/sights.ts";

const defaults = {
  /** Steps between two moves of the slow weights. */
  steps: 5,
  /** How far the slow weights go towards the fast ones. */
  share: 0.5,
};

/**
 * Looks ahead: an optimizer moves fast weights, and every so many steps slow weights go a share of the way to them, from where the fast ones go
 * on. The state of the inner optimizer goes on too.
 *
 * Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back", arXiv:1907.08610, algorithm 1.
 *
 * @example
 * ```ts
 * import { adam, lookahead } from "thalweg";
 * lookahead(adam({ lr: 0.01 }), { steps: 6 }).rate; // 0.01
 * ```
 */
export function lookahead(inner: Optimizer, options: Partial<typeof defaults> = {}): Optimizer {
  const all = checked("lookahead", defaults, options);
  needWhole("lookahead", "steps", all.steps);
  needShare("lookahead", "share", all.share);
  const spec = { name: "lookahead", options: { optimizer: inner.toJSON() as unknown as Json, ...all } };
  const made = (optimizer: Optimizer): Optimizer =>
    Object.freeze({
      spec,
      rate: optimizer.rate,
      last: true as const,
      ...sightsOf([optimizer]),
      init: (params: Tree) => ({ slow: cloneTree(params), taken: tf.scalar(0), inner: optimizer.init(params) }),
      update(grads, state, params, rate, seen) {
        const had = state as { readonly slow: Tree; readonly taken: tf.Tensor; readonly inner: Tree };
        const [moved, next] = optimizer.update(grads, had.inner, params, rate, seen);
        const taken = tf.add(had.taken, 1);
        const due = tf.greaterEqual(taken, all.steps);
        const forward = (slow: tf.Tensor, w: tf.Tensor, u: tf.Tensor): tf.Tensor =>
          tf.add(slow, tf.mul(tf.sub(tf.add(w, u), slow), all.share));
        const slow = mapTensors((s, w, u) => tf.where(due, forward(s, w!, u!), s), had.slow, params, moved);
        const updates = mapTensors((u, w, s) => tf.where(due, tf.sub(s!, w!), u), moved, params, slow);
        return [updates, { slow, taken: tf.where(due, tf.zerosLike(taken), taken), inner: next }];
      },
      ...(optimizer.shown && {
        shown: (params: Tree, state: Tree) => optimizer.shown!(params, (state as { readonly inner: Tree }).inner),
      }),
      over: (kindOf: KindOf) => made(optimizer.over?.(kindOf) ?? optimizer),
      toJSON: () => spec,
    } satisfies Optimizer);
  return made(inner);
}
